/*
 * process_vm_readv(2), which glibc declares only with _GNU_SOURCE, and the parts of device numbers, from
 * sys/sysmacros.h.
 */
#ifndef CFIC_PROCESS_MEMORY_H
#define CFIC_PROCESS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

/* Copies memory of a process. Returns the number of bytes copied, or -1 with errno set. */
ssize_t process_memory_read(pid_t process, uint64_t address, void *to, size_t count);

#endif

/*
 * process_vm_readv(2), which glibc declares for _GNU_SOURCE only; and the parts of device numbers, which come with
 * sys/sysmacros.h.
 */
#ifndef CFIC_PROCESS_MEMORY_H
#define CFIC_PROCESS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

/* Copies memory of a process; how many bytes that were, or -1 with errno. */
ssize_t process_memory_read(pid_t process, uint64_t address, void *to, size_t count);

#endif

#define _GNU_SOURCE
#include "process_memory.h"

#include <sys/uio.h>

ssize_t process_memory_read(pid_t process, uint64_t address, void *to, size_t count)
{
	struct iovec local = { .iov_base = to, .iov_len = count };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address, .iov_len = count };

	return process_vm_readv(process, &local, 1, &remote, 1, 0);
}

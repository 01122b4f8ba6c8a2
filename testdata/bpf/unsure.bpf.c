/* A helper of 6.1 where libbpf doesn't load it by default, and where only a loader lets anybody get. */
#include "bpf.h"

static __u64 (*const tai)(void) = (void *)208;
static const volatile int use_tai;

SEC("?kprobe/vfs_read") int optional(void *context)
{
	return tai();
}

SEC("kprobe/vfs_write") int careful(void *context)
{
	return use_tai ? tai() : 0;
}

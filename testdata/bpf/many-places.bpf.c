/* One helper of 6.1 in many places. */
#include "bpf.h"

static __u64 (*const tai)(void) = (void *)208;

SEC("kprobe/vfs_read") int first(void *context)
{
	__u64 sum = tai();

	sum += tai();
	sum += tai();
	return sum;
}

SEC("kprobe/vfs_write") int second(void *context)
{
	__u64 sum = tai();

	sum += tai();
	return sum;
}

/* Helpers of 5.17, called whatever the kernel. */
#include "bpf.h"

static long (*const loop)(__u32 count, void *callback, void *data, __u64 flags) = (void *)BPF_FUNC_loop;

static long turn(__u32 index, void *data)
{
	*(__u64 *)data += index;
	return 0;
}

SEC("raw_tracepoint/sched_switch") int loops(void *context)
{
	__u64 sum = 0;

	loop(8, turn, &sum, 0);
	return sum;
}

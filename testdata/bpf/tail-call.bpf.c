/* Tail calls: beside a function, and in one whose callers have 256 bytes of stack. */
#include "bpf.h"

#define FILL(name, size) volatile char name[size]; \
	for (int index = 0; index < size; index += 8) *(volatile __u64 *)(name + index) = index

static long (*const tail_call)(void *context, void *map, __u32 index) = (void *)BPF_FUNC_tail_call;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} programs SEC(".maps");

static __noinline int leaves(void *context)
{
	tail_call(context, &programs, 0);
	return 1;
}

SEC("perf_event") int shallow(void *context)
{
	return leaves(context);
}

SEC("perf_event") int deep(void *context)
{
	__attribute__((aligned(8))) FILL(buffer, 256);
	return leaves(context) + buffer[0];
}

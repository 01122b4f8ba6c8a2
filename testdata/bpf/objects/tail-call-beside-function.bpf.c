/* A tail call beside a function: of 5.10, of 6.0 on aarch64. */
#include "object.h"

HELPER(12, long, tail_call, void *context, void *map, __u32 index);

MAP(programs, __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __uint(key_size, 4);
    __uint(value_size, 4););

static __noinline int adds(int value)
{
	return value + any();
}

PROGRAM("kprobe/do_nanosleep", tail_call(context, &programs, 0); return adds(1))

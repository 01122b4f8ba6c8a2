/* A helper of 5.17 with a callback. */
#include "object.h"

HELPER(181, long, loop, __u32 count, void *callback, void *data, __u64 flags);

static long turn(__u32 index, void *data)
{
	return 0;
}

PROGRAM("kprobe/do_nanosleep", return loop(8, turn, (void *)0, 0))

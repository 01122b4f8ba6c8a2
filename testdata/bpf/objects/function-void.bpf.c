/* A global function that returns nothing, of 7.1. */
#include "object.h"

__u64 sink;
__noinline void takes(__u64 number) { sink = number; }

PROGRAM("kprobe/do_nanosleep", takes(now()); return 0)

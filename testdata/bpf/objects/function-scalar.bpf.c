/* A global function that takes a number. */
#include "object.h"

__noinline int takes(__u64 number) { return number + any(); }

PROGRAM("kprobe/do_nanosleep", return takes(now()))

/* A global function that takes memory of no size. */
#include "object.h"

__noinline int takes(void *pointer) { return pointer ? 1 : 0; }

PROGRAM("kprobe/do_nanosleep", return takes(0))

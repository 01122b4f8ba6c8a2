/* A global function that takes a pointer, of 5.12. */
#include "object.h"

__noinline int takes(__u64 *pointer) { return pointer ? *pointer : 1; }

PROGRAM("kprobe/do_nanosleep", __u64 word = now(); return takes(&word))

/* A helper in a program for kprobe, which may have it or not. */
#include "object.h"

HELPER(148, long, copy, void *to, __u32 size, const void *from);

PROGRAM("kprobe/do_nanosleep", char byte; return copy(&byte, 1, context))

/* A helper in a program for kprobe, which may have it or not. */
#include "object.h"

HELPER(59, long, set, void *context, int flags);

PROGRAM("kprobe/do_nanosleep", return set(context, 0) & 1)

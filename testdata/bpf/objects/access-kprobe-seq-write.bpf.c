/* A helper in a program for kprobe, which may have it or not. */
#include "object.h"

HELPER(127, long, put, void *file, const void *bytes, __u32 size);

PROGRAM("kprobe/do_nanosleep", char byte = 0; return put(context, &byte, 1))

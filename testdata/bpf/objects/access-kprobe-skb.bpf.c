/* A helper in a program for kprobe, which may have it or not. */
#include "object.h"

HELPER(26, long, load, void *packet, __u32 offset, void *to, __u32 size);

PROGRAM("kprobe/do_nanosleep", char bytes[4]; return load(context, 0, bytes, 4))

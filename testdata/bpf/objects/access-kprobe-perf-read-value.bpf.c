/* A helper in a program for kprobe, which may have it or not. */
#include "object.h"

HELPER(56, long, read, void *context, void *value, __u32 size);

PROGRAM("kprobe/do_nanosleep", char value[24]; return read(context, value, 24))

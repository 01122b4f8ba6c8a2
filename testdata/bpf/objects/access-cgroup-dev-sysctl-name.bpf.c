/* A helper in a program for cgroup, which may have it or not. */
#include "object.h"

HELPER(101, long, get, void *context, char *to, __u32 size, __u64 flags);

PROGRAM("cgroup/dev", char name[8] = {}; return get(context, name, 8, 0) & 1)

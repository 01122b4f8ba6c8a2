/* A helper of 5.16. */
#include "object.h"

HELPER(176, long, branches, void *entries, __u32 size, __u64 flags);

PROGRAM("kprobe/do_nanosleep", char room[48] = {}; return branches(room, sizeof(room), 0))

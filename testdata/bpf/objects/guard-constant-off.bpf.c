/* A helper of 6.1. By a constant that the loader leaves at 0. */
#include "object.h"

static const volatile int use_tai;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return use_tai ? tai() : 0)

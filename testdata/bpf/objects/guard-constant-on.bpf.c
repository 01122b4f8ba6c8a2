/* A helper of 6.1. By a constant that is 1. */
#include "object.h"

static const volatile int use_tai = 1;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return use_tai ? tai() : 0)

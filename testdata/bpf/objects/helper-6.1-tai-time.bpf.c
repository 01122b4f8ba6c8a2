/* A helper of 6.1. */
#include "object.h"

HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return tai())

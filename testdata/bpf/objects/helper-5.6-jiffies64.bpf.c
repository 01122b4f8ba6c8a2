/* A helper of 5.6. */
#include "object.h"

HELPER(118, __u64, jiffies, void);

PROGRAM("kprobe/do_nanosleep", return jiffies())

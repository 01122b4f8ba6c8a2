/* A helper of 5.7. */
#include "object.h"

HELPER(123, __u64, ancestor, int level);

PROGRAM("kprobe/do_nanosleep", return ancestor(1))

/* A helper of 5.8. */
#include "object.h"

HELPER(125, __u64, boot, void);

PROGRAM("kprobe/do_nanosleep", return boot())

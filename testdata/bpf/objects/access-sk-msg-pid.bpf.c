/* A helper in a program for sk_msg, which may have it or not. */
#include "object.h"

HELPER(14, __u64, pid, void);

PROGRAM("sk_msg", return pid() & 1)

/* A helper in a program for xdp, which may have it or not. */
#include "object.h"

HELPER(14, __u64, pid, void);

PROGRAM("xdp", return pid())

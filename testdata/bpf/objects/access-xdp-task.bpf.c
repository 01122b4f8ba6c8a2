/* A helper in a program for xdp, which may have it or not. */
#include "object.h"

HELPER(35, __u64, task, void);

PROGRAM("xdp", return task() != 0)

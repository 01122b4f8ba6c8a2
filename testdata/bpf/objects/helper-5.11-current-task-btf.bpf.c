/* A helper of 5.11. */
#include "object.h"

HELPER(158, void *, task, void);

PROGRAM("kprobe/do_nanosleep", return task() != 0)

/* A number far beyond the last. */
#include "object.h"

HELPER(5000, long, none, void);

PROGRAM("kprobe/do_nanosleep", return none())

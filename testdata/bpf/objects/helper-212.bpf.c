/* The number after the last. */
#include "object.h"

HELPER(212, long, none, void);

PROGRAM("kprobe/do_nanosleep", return none())

/* A negative number. */
#include "object.h"

HELPER(-7, long, none, void);

PROGRAM("kprobe/do_nanosleep", return none())

/* Of 6.6. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile(".byte 0x06, 0, 0, 0, 0, 0, 0, 0" ::: "r1", "r2", "memory"); return 0)

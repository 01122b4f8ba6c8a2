/* Of 6.9. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile(".byte 0xe5, 0, 1, 0, 0, 0, 0, 0; r1 = 1" ::: "r1", "r2", "memory"); return 0)

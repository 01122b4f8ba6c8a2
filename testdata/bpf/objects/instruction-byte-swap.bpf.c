/* Of 6.6. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("r1 = 1; .byte 0xd7, 1, 0, 0, 64, 0, 0, 0" ::: "r1", "r2", "memory"); return 0)

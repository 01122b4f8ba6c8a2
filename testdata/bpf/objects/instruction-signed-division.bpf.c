/* Of 6.6. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("r1 = 9; .byte 0x37, 1, 1, 0, 3, 0, 0, 0" ::: "r1", "r2", "memory"); return 0)

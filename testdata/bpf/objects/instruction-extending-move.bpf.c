/* Of 6.6. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("r2 = 1; .byte 0xbf, 0x21, 8, 0, 0, 0, 0, 0" ::: "r1", "r2", "memory"); return 0)

/* Of 6.6. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("r1 = 1; *(u64 *)(r10 - 8) = r1; .byte 0x91, 0xa1, 0xf8, 0xff, 0, 0, 0, 0" ::: "r1", "r2", "memory"); return 0)

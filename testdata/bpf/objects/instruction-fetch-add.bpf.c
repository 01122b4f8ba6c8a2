/* A fetching addition, of 5.12. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("r1 = 1; r2 = r10; r2 += -8; *(u64 *)(r10 - 8) = r1; .byte 0xdb, 0x12, 0, 0, 1, 0, 0, 0" ::: "r1", "r2", "memory"); return 0)

/* A frame of more than 512 bytes. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("r1 = 0; *(u64 *)(r10 - 520) = r1" ::: "r1", "memory"); return 0)

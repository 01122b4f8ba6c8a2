/* BPF_FUNC_unspec. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", asm volatile("call 0" ::: "r0", "r1", "r2", "r3", "r4", "r5"); return 0)

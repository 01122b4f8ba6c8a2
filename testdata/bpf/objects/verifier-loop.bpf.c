/* A loop without end. */
#include "object.h"

PROGRAM("raw_tracepoint/sched_switch", asm volatile("1: r1 = 1; if r1 == 1 goto 1b" ::: "r1"); return 0)

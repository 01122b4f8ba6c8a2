/* A register that nothing was put in. */
#include "object.h"

PROGRAM("raw_tracepoint/sched_switch", asm volatile("r0 = r7" ::: "r0"); return 0)

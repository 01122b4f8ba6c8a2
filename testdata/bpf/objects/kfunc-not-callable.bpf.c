/* A function of the kernel: a function that programs can't call. */
#include "object.h"

extern void schedule(void) __ksym;

PROGRAM("tp_btf/sched_switch", schedule(); return 0)

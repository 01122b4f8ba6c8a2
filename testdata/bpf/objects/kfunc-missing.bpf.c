/* A function of the kernel: that nobody has. */
#include "object.h"

extern int no_such_function(int) __ksym;

PROGRAM("tp_btf/sched_switch", return no_such_function(1))

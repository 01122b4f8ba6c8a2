/* A function of the kernel: that nobody has, asked for first. */
#include "object.h"

extern int no_such_function(int) __ksym __weak;

PROGRAM("tp_btf/sched_switch", return no_such_function ? no_such_function(1) : 0)

/* A helper in a program for tracepoint, which may have it or not. */
#include "object.h"

HELPER(173, __u64, address, void *context);

PROGRAM("tracepoint/sched/sched_switch", return address(context))

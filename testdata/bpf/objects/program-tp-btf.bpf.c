/* A tracepoint with types. */
#include "object.h"

PROGRAM("tp_btf/sched_switch", return 0)

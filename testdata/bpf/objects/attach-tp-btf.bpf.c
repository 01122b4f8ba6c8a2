/* A tracepoint with types needs no trampoline. Loaded and attached. */
#include "object.h"

PROGRAM("tp_btf/sched_switch", return 0)

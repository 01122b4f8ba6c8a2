/* As old as what is known. */
#include "object.h"

PROGRAM("tracepoint/sched/sched_switch", return 0)

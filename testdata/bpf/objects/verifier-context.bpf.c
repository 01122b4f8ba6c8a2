/* Beyond the context. */
#include "object.h"

PROGRAM("raw_tracepoint/sched_switch", return *(int *)(context + 4096))

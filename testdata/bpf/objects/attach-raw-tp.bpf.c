/* A raw tracepoint. Loaded and attached. */
#include "object.h"

PROGRAM("raw_tp/sched_switch", return 0)

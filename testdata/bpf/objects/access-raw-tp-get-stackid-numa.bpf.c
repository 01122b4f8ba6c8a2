/* A helper in a program for raw_tp, which may have it or not. */
#include "object.h"

HELPER(42, long, node, void);

PROGRAM("raw_tp/sched_switch", return node())

/* Nor does perf_event. */
#include "object.h"

PROGRAM("perf_event/mine", return 0)

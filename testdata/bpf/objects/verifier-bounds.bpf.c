/* An index beyond an array. */
#include "object.h"

__u32 array[16];

PROGRAM("raw_tracepoint/sched_switch", return array[any() & 31])

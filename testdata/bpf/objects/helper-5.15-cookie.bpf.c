/* A helper of 5.15. */
#include "object.h"

HELPER(174, __u64, cookie, void *context);

PROGRAM("perf_event", return cookie(context))

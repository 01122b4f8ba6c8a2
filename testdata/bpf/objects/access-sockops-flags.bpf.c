/* A helper in a program for sockops, which may have it or not. */
#include "object.h"

HELPER(59, long, set, void *context, int flags);

PROGRAM("sockops", return set(context, 0) & 1)

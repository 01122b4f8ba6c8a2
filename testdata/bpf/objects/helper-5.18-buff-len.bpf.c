/* A helper of 5.18. */
#include "object.h"

HELPER(188, __u64, length, void *context);

PROGRAM("xdp", return length(context))

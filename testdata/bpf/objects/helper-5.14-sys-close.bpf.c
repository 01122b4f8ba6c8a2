/* A helper of 5.14. */
#include "object.h"

HELPER(168, long, end, __u32 descriptor);

PROGRAM("syscall", return end(100))

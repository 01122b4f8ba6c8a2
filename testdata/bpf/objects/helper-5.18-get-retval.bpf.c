/* A helper of 5.18. */
#include "object.h"

HELPER(186, int, value, void);

PROGRAM("cgroup/dev", return value() & 1)

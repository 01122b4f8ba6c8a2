/* Of 5.8. */
#include "object.h"

PROGRAM("cgroup/getpeername4", return 1)

/* Of 6.7. */
#include "object.h"

PROGRAM("cgroup/connect_unix", return 1)

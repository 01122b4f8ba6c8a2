/* Of 6.0, of 6.4 on aarch64. */
#include "object.h"

PROGRAM("lsm_cgroup/socket_bind", return 1)

/* A security hook that may sleep, of 5.10, of 6.4 on aarch64. Loaded and attached. */
#include "object.h"

PROGRAM("lsm.s/file_open", return 0)

/* Of 5.7, of 6.4 on aarch64. Loaded and attached. */
#include "object.h"

PROGRAM("lsm/file_open", return 0)

/* A security hook that may sleep, of 5.10. */
#include "object.h"

PROGRAM("lsm.s/file_open", return 0)

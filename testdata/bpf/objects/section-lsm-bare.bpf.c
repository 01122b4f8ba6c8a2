/* A security hook without a name. */
#include "object.h"

PROGRAM("lsm", return 0)

/* A hook that nobody has. */
#include "object.h"

PROGRAM("lsm/no_such_hook", return 0)

/* A beginning is not enough. */
#include "object.h"

PROGRAM("socket1", return 0)

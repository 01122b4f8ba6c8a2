/* A section of no kind, not loaded. */
#include "object.h"

PROGRAM("?elsewhere", return 0)

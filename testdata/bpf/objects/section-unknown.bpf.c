/* A section of no kind. */
#include "object.h"

PROGRAM("elsewhere", return 0)

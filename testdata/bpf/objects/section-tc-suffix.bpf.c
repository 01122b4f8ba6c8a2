/* Nor does tc. */
#include "object.h"

PROGRAM("tc/mine", return 0)

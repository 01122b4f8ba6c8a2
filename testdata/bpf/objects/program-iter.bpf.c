/* An iterator. */
#include "object.h"

PROGRAM("iter/task", return 0)

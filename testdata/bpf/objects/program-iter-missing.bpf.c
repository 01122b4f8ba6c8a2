/* An iterator that nobody has. */
#include "object.h"

PROGRAM("iter/no_such_thing", return 0)

/* A function that nobody has. */
#include "object.h"

PROGRAM("fentry/no_such_function", return 0)

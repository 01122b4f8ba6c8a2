/* A program for fentry and for nothing. */
#include "object.h"

PROGRAM("fentry", return 0)

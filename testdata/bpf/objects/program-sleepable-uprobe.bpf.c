/* Of 6.0. */
#include "object.h"

PROGRAM("uprobe.s", return 0)

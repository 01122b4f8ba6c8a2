/* Of 5.14. */
#include "object.h"

PROGRAM("syscall", return 0)

/* Of 5.18. */
#include "object.h"

PROGRAM("xdp.frags", return 2)

/* xdp takes no name. */
#include "object.h"

PROGRAM("xdp/mine", return 0)

/* Of 5.8. */
#include "object.h"

PROGRAM("xdp/devmap", return 2)

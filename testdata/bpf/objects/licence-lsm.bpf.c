/* A security hook without a GPL-compatible licence. */
#define LICENCE "Proprietary"
#include "object.h"

PROGRAM("lsm/file_open", return 0)

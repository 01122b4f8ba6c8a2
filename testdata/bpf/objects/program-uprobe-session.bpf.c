/* Of 6.13. */
#include "object.h"

PROGRAM("uprobe.session", return 0)

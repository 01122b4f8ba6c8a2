/* No slash. */
#include "object.h"

PROGRAM("kprobe_vfs_read", return 0)

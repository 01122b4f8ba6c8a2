/* Of 5.18, of 6.14 on aarch64. Loaded and attached. */
#include "object.h"

PROGRAM("kprobe.multi/do_nanosleep", return 0)

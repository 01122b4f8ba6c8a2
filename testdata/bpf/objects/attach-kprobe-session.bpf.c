/* Of 6.10, of 6.14 on aarch64. Loaded and attached. */
#include "object.h"

PROGRAM("kprobe.session/do_nanosleep", return 0)

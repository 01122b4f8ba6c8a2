/* A helper of 5.15. */
#include "object.h"

HELPER(173, __u64, address, void *context);

PROGRAM("kprobe/do_nanosleep", return address(context))

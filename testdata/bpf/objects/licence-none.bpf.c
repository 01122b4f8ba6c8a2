/* No licence stated. */
#define NO_LICENCE
#include "object.h"

PROGRAM("kprobe/do_nanosleep", __u64 word; return read_kernel(&word, 8, context))

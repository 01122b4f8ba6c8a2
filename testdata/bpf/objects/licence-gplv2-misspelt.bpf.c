/* A helper that only GPL-compatible programs may call, under "GPLv2". */
#define LICENCE "GPLv2"
#include "object.h"

PROGRAM("kprobe/do_nanosleep", __u64 word; return read_kernel(&word, 8, context))

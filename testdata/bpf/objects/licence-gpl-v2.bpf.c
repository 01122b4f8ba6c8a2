/* A helper that only GPL-compatible programs may call, under "GPL v2". */
#define LICENCE "GPL v2"
#include "object.h"

PROGRAM("kprobe/do_nanosleep", __u64 word; return read_kernel(&word, 8, context))

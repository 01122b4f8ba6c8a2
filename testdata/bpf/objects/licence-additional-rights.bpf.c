/* A helper that only GPL-compatible programs may call, under "GPL and additional rights". */
#define LICENCE "GPL and additional rights"
#include "object.h"

PROGRAM("kprobe/do_nanosleep", __u64 word; return read_kernel(&word, 8, context))

/* A helper that only GPL-compatible programs may call, under "Dual MIT/GPL". */
#define LICENCE "Dual MIT/GPL"
#include "object.h"

PROGRAM("kprobe/do_nanosleep", __u64 word; return read_kernel(&word, 8, context))

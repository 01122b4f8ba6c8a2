/* A restricted helper where nobody gets. */
#define LICENCE "Proprietary"
#include "object.h"

PROGRAM("kprobe/do_nanosleep", __u64 word;
	return exists(enum bpf_func_id, BPF_FUNC_unspec) ? 0 : read_kernel(&word, 8, context))

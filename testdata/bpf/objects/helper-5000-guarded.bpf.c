/* A number that is none, where nobody gets. */
#include "object.h"

HELPER(5000, long, none, void);

PROGRAM("kprobe/do_nanosleep", return exists(enum bpf_func_id, BPF_FUNC_unspec) ? 0 : none())

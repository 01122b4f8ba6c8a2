/* A helper of 5.15, asked for first. */
#include "object.h"

HELPER(174, __u64, cookie, void *context);

PROGRAM("perf_event", return exists(enum bpf_func_id, BPF_FUNC_get_attach_cookie) ? cookie(context) : 1)

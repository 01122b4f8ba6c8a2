/* A helper of 6.1. By a kind of map that came with it. */
#include "object.h"

enum bpf_map_type___new { BPF_MAP_TYPE_USER_RINGBUF___new = 31 };
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return exists(enum bpf_map_type___new, BPF_MAP_TYPE_USER_RINGBUF___new) ? tai() : 0)

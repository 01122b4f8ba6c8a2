/* A helper in a program for cgroup_skb, which may have it or not. */
#include "object.h"

HELPER(23, long, redirect, __u32 device, __u64 flags);

PROGRAM("cgroup_skb/egress", return redirect(1, 0) & 1)

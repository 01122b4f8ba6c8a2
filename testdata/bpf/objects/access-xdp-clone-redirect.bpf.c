/* A helper in a program for xdp, which may have it or not. */
#include "object.h"

HELPER(13, long, redirect, void *packet, __u32 device, __u64 flags);

PROGRAM("xdp", return redirect(context, 1, 0))

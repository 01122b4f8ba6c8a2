/* A helper in a program for lwt_xmit, which may have it or not. */
#include "object.h"

HELPER(9, long, store, void *packet, __u32 offset, const void *from, __u32 size, __u64 flags);

PROGRAM("lwt_xmit", char byte = 0; return store(context, 0, &byte, 1, 0) & 1)

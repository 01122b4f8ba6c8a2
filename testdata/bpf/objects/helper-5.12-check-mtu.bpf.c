/* A helper of 5.12. */
#include "object.h"

HELPER(163, long, check, void *context, __u32 device, __u32 *mtu, int difference, __u64 flags);

PROGRAM("xdp", __u32 mtu = 0; return check(context, 0, &mtu, 0, 0))

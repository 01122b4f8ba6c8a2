/* Networking has restricted helpers, too. */
#define LICENCE "Proprietary"
#include "object.h"

HELPER(69, long, look_up, void *context, void *parameters, int size, __u32 flags);

PROGRAM("xdp", char parameters[64] = {}; return look_up(context, parameters, 64, 0))

/* A helper in a program for xdp, which may have it or not. */
#include "object.h"

HELPER(47, __u32, uid, void *context);

PROGRAM("xdp", return uid(context))

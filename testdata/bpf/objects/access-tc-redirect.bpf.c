/* A helper in a program for tc, which may have it or not. */
#include "object.h"

HELPER(23, long, redirect, __u32 device, __u64 flags);

PROGRAM("tc", return redirect(1, 0))

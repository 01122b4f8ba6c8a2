/* A helper in a program for tc, which may have it or not. */
#include "object.h"

HELPER(109, long, kill, __u32 signal);

PROGRAM("tc", return kill(9))

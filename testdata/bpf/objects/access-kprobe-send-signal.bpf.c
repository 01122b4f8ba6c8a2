/* A helper in a program for kprobe, which may have it or not. */
#include "object.h"

HELPER(109, long, kill, __u32 signal);

PROGRAM("kprobe/do_nanosleep", return kill(9))

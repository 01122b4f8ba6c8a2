/* A helper of 6.1. By a constant of several. */
#include "object.h"

static const volatile struct { int one; char two[3]; short three; } settings = {1, {2, 3, 4}, 5};
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return settings.two[1] == 3 && settings.three != 5 ? tai() : 0)

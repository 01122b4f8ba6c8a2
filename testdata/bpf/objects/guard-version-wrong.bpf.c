/* A helper of 6.1. By a release that is too early. */
#include "object.h"

extern int LINUX_KERNEL_VERSION __kconfig;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return LINUX_KERNEL_VERSION >= (5 << 16) ? tai() : 0)

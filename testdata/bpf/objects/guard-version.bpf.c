/* A helper of 6.1. By the release. */
#include "object.h"

extern int LINUX_KERNEL_VERSION __kconfig;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return LINUX_KERNEL_VERSION >= (6 << 16) + (1 << 8) ? tai() : 0)

/* A helper of 6.1. By an option that no kernel has. */
#include "object.h"

extern int CONFIG_NO_SUCH_OPTION __kconfig __weak;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return CONFIG_NO_SUCH_OPTION ? tai() : 0)

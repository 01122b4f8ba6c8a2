/* LINUX_HAS_BPF_COOKIE before a helper of 5.15. */
#include "object.h"

extern _Bool LINUX_HAS_BPF_COOKIE __kconfig __weak;
HELPER(174, __u64, cookie, void *context);

PROGRAM("kprobe/do_nanosleep", return LINUX_HAS_BPF_COOKIE ? cookie(context) : 0)

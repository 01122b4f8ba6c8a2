/* LINUX_HAS_SYSCALL_WRAPPER, which all kernels have; then a helper that none has. */
#include "object.h"

extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig __weak;
HELPER(5000, __u64, none, void);

PROGRAM("kprobe/do_nanosleep", return LINUX_HAS_SYSCALL_WRAPPER ? 0 : none())

/* A helper of 6.1. By an enumerator that no kernel has. */
#include "object.h"

enum pid_type { NO_SUCH_PID = 77 };
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return exists(enum pid_type, NO_SUCH_PID) ? tai() : 0)

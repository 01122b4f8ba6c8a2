/* A field that no kernel has. */
#include "object.h"

struct task_struct { int no_such_member; } __core;
HELPER(35, __u64, task, void);

PROGRAM("kprobe/do_nanosleep", int it; return read_kernel(&it, 4, &((struct task_struct *)task())->no_such_member))

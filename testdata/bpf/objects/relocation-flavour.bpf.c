/* A field under a flavour of its type. */
#include "object.h"

struct task_struct___other { int pid; } __core;
HELPER(35, __u64, task, void);

PROGRAM("kprobe/do_nanosleep", int pid; return read_kernel(&pid, 4, &((struct task_struct___other *)task())->pid))

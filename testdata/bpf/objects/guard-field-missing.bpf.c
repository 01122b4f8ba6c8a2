/* A helper of 6.1. By a field that no kernel has. */
#include "object.h"

struct task_struct { int no_such_member; } __core;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", struct task_struct *task = context;
	return field_exists(task->no_such_member) ? tai() : 0)

/* A helper of 6.1. By a field that all have. */
#include "object.h"

struct task_struct { int pid; } __core;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", struct task_struct *task = context;
	return field_exists(task->pid) ? tai() : 0)

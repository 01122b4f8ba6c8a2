/* A helper of 6.1. By a type that all have. */
#include "object.h"

struct task_struct { int pid; } __core;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return type_exists(struct task_struct) ? tai() : 0)

/* A helper of 6.1. By a type that no kernel has. */
#include "object.h"

struct no_such_type { int member; } __core;
HELPER(208, __u64, tai, void);

PROGRAM("kprobe/do_nanosleep", return type_exists(struct no_such_type) ? tai() : 0)

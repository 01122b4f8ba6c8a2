/* A helper in a program for tc, which may have it or not. */
#include "object.h"

HELPER(16, long, comm, void *name, __u32 size);

PROGRAM("tc", char name[16]; return comm(name, 16))

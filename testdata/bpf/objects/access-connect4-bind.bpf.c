/* A helper in a program for cgroup, which may have it or not. */
#include "object.h"

HELPER(64, long, bind, void *context, void *address, int length);

PROGRAM("cgroup/connect4", char address[16] = {}; return bind(context, address, 16) & 1)

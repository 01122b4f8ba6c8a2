/* A helper in a program for socket, which may have it or not. */
#include "object.h"

PROGRAM("socket", __u64 word; return read_kernel(&word, 8, context))

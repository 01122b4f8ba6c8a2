/* A helper in a program for tc, which may have it or not. */
#include "object.h"

HELPER(80, __u64, group, void);

PROGRAM("tc", return group())

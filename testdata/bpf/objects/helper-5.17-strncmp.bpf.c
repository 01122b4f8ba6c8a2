/* A helper of 5.17. */
#include "object.h"

static const char word[4] = "abc";
HELPER(182, long, compare, const char *one, __u32 size, const char *other);

PROGRAM("kprobe/do_nanosleep", char text[4] = "abc"; return compare(text, 4, word))

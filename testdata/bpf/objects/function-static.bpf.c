/* A static function that takes a pointer. */
#include "object.h"

static __noinline int takes(__u64 *pointer) { return *pointer + any(); }

PROGRAM("kprobe/do_nanosleep", __u64 word = now(); return takes(&word))

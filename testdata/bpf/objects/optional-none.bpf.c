/* A program that is loaded, and one that isn't. */
#include "object.h"

HELPER(5000, long, future, void);

PROGRAM("kprobe/do_nanosleep", return 0)

SEC("?kprobe/do_nanosleep") int other(void *context) { return future(); }

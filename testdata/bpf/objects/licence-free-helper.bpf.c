/* A helper that anybody may call, without a licence. */
#define NO_LICENCE
#include "object.h"

PROGRAM("kprobe/do_nanosleep", return now())

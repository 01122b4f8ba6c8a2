/* A tracepoint that nobody has. */
#include "object.h"

PROGRAM("tp_btf/no_such_thing", return 0)

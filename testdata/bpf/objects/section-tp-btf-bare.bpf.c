/* A tracepoint without a name. */
#include "object.h"

PROGRAM("tp_btf", return 0)

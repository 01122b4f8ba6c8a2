/* A raw tracepoint may be named later. */
#include "object.h"

PROGRAM("raw_tp", return 0)

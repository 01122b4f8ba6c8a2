/* The loader may say where. */
#include "object.h"

PROGRAM("kprobe", return 0)

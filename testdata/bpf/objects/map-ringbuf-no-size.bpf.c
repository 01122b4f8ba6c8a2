/* A ring buffer of no size. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_RINGBUF););

NOTHING

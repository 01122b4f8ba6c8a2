/* A ring buffer has no values. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); __type(value, __u64););

NOTHING

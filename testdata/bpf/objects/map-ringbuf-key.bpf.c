/* A ring buffer has no keys. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); __type(key, __u32););

NOTHING

/* A kind of 5.16. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __uint(max_entries, 16); __type(value, __u64););

NOTHING

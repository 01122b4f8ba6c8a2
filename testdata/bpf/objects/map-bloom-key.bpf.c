/* A bloom filter has no keys. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64););

NOTHING

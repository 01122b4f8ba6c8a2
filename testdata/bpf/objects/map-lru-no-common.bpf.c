/* A flag of LRU maps. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); __uint(map_flags, 2););

NOTHING

/* A flag of 5.5. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); __uint(map_flags, 1024););

NOTHING

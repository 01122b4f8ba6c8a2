/* A hash that allocates as it goes, in a perf_event program. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); __uint(map_flags, 1););

PROGRAM("perf_event", __u32 key = 0; return map_lookup(&map, &key) != 0)

/* A map for each CPU has no one memory. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); __uint(map_flags, 1024););

NOTHING

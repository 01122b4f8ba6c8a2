/* A flag that only arrays take. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); __uint(map_flags, 1024););

NOTHING

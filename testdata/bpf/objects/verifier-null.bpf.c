/* A value that may not be there. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64););

PROGRAM("raw_tracepoint/sched_switch", __u32 key = 0; return *(__u64 *)map_lookup(&map, &key))

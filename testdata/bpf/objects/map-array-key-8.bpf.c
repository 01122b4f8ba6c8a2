/* An array whose key is no index. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 16); __type(key, __u64); __type(value, __u64););

NOTHING

/* No max_entries. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); __type(value, __u64););

NOTHING

/* Nothing wrong. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_SK_STORAGE); __type(key, int); __type(value, __u64); __uint(map_flags, 1););

NOTHING

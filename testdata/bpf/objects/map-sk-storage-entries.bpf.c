/* It grows with sockets. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(max_entries, 16); __type(key, int); __type(value, __u64); __uint(map_flags, 1););

NOTHING

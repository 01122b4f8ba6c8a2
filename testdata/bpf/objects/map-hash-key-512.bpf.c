/* The largest key of old kernels. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __uint(key_size, 512); __type(value, __u64););

NOTHING

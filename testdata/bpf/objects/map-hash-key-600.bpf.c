/* A key of 600 bytes, from 5.11. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __uint(key_size, 600); __type(value, __u64););

NOTHING

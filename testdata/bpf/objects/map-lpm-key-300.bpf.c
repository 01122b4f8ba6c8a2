/* A key that is too long. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 16); __uint(key_size, 300); __type(value, __u64); __uint(map_flags, 1););

NOTHING

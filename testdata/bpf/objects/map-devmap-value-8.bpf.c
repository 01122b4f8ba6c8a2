/* Values of 8 bytes are of 5.8. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_DEVMAP); __uint(max_entries, 16); __type(key, __u32); __uint(value_size, 8););

NOTHING

/* Sizes instead of types. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(key_size, 4); __uint(value_size, 8); __uint(map_flags, 1););

NOTHING

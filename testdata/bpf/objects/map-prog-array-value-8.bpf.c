/* Descriptors have four bytes. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 16); __uint(key_size, 4); __uint(value_size, 8););

NOTHING

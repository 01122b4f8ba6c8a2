/* A kind of 5.11. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __type(key, int); __type(value, __u64); __uint(map_flags, 1););

NOTHING

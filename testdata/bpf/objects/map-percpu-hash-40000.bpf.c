/* 40,000 bytes for each CPU. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_PERCPU_HASH); __uint(max_entries, 1); __type(key, __u32); __type(value, char[40000]););

NOTHING

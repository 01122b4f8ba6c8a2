/* libbpf makes it as large as there are CPUs. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4););

NOTHING

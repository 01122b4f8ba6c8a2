/* A size that libbpf 1 rounds up. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1000););

NOTHING

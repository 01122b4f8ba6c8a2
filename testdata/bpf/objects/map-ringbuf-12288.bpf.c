/* Three pages, which libbpf 1 makes four. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 12288););

NOTHING

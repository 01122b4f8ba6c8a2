/* A kind of 6.9, of 6.10 on aarch64. */
#include "object.h"

MAP(map, __uint(type, 33); __uint(max_entries, 4); __uint(map_flags, 1024););

NOTHING

/* A kind of 6.2. */
#include "object.h"

MAP(map, __uint(type, 32); __type(key, int); __type(value, __u64); __uint(map_flags, 1););

NOTHING

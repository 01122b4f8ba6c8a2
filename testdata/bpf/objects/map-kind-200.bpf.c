/* A number that is no kind's. */
#include "object.h"

MAP(map, __uint(type, 200); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64););

NOTHING

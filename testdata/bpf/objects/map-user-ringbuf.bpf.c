/* A kind of 6.1. */
#include "object.h"

MAP(map, __uint(type, 31); __uint(max_entries, 4096););

NOTHING

/* An arena that can't be mapped. */
#include "object.h"

MAP(map, __uint(type, 33); __uint(max_entries, 4););

NOTHING

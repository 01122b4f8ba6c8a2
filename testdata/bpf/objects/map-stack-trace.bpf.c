/* Nothing wrong. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64[127]););

NOTHING

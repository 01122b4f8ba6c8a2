/* Descriptors of sockets have four bytes. */
#include "object.h"

MAP(map, __uint(type, BPF_MAP_TYPE_XSKMAP); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64););

NOTHING

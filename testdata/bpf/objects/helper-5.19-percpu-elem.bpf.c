/* A helper of 5.19. */
#include "object.h"

HELPER(195, void *, of_cpu, void *map, const void *key, __u32 cpu);

MAP(numbers, __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64););

PROGRAM("kprobe/do_nanosleep", __u32 key = 0; return of_cpu(&numbers, &key, 0) != 0)

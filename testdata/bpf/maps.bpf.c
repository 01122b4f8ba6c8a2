/* Maps that came after 5.10, flags too, and a hash map that perf_event programs could not use before 6.1. */
#include "bpf.h"

#define MAP(name, kind, flags) \
	struct { __uint(type, kind); __uint(map_flags, flags); __uint(max_entries, 16); \
		 __type(key, __u32); __type(value, __u64); } name SEC(".maps")

MAP(mapped_array, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE);
MAP(late, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC);

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} task_local SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static __noinline void *of_late(__u32 key)
{
	return map_lookup(&late, &key);
}

SEC("perf_event") int samples(void *context)
{
	__u32 key = any();

	return of_late(key) != 0 || map_lookup(&mapped_array, &key);
}

SEC("raw_tracepoint/sched_switch") int traces(void *context)
{
	return of_late(any()) != 0;
}

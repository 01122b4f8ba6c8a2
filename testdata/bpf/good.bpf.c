/* Nothing that 5.10 refuses: a static function, a hidden one, a global one with scalars, and one with the context. */
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __noinline int takes_pointer(__u64 *value)
{
	*value += any();
	return 0;
}

__hidden __noinline int hidden_takes_pointer(__u64 *value)
{
	*value += any();
	return 0;
}

__noinline int takes_scalars(int one, __u64 other)
{
	return one + other + any();
}

__noinline int takes_context(struct bpf_perf_event_data *context)
{
	return context->sample_period;
}

SEC("perf_event") int count(struct bpf_perf_event_data *context)
{
	__u32 key = any();
	__u64 *value = map_lookup(&counts, &key), sum = 0;

	takes_pointer(&sum);
	hidden_takes_pointer(&sum);
	if (value)
		__atomic_fetch_add(value, sum, __ATOMIC_RELAXED);
	return takes_scalars(sum, key) + takes_context(context);
}

/* Atomic instructions that came with 5.12, and one that was always there. */
#include "bpf.h"

__u64 shared;

SEC("perf_event") int adds(void *context)
{
	__atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);
	return 0;
}

SEC("perf_event") int fetches(void *context)
{
	return __sync_fetch_and_add(&shared, 1);
}

SEC("perf_event") int exchanges(void *context)
{
	return __sync_val_compare_and_swap(&shared, 1, 2) + __sync_lock_test_and_set(&shared, 3);
}

SEC("perf_event") int sets_bits(void *context)
{
	__sync_fetch_and_or(&shared, 4);
	return 0;
}

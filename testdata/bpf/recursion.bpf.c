/* A function that calls itself through another. */
#include "bpf.h"

int odd(int value);

__noinline int even(int value) { return value == 0 ? any() : odd(value - 1) + 1; }
__noinline int odd(int value) { return value == 0 ? 0 : even(value - 1) + 1; }

SEC("perf_event") int counts_down(void *context) { return even(any()); }

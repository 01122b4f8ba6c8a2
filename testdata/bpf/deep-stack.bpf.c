/* Three frames that add up to more than 512 bytes. */
#include "bpf.h"

#define FILL(name, size) volatile char name[size]; \
	for (int index = 0; index < size; index += 8) *(volatile __u64 *)(name + index) = index

static __noinline int deepest(int value)
{
	__attribute__((aligned(8))) FILL(buffer, 200);
	return buffer[0] + value;
}

static __noinline int middle(int value)
{
	__attribute__((aligned(8))) FILL(buffer, 200);
	return buffer[8] + deepest(value);
}

SEC("perf_event") int outermost(void *context)
{
	__attribute__((aligned(8))) FILL(buffer, 200);
	return buffer[0] + middle(any());
}

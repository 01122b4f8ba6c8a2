/* Compiled with -mcpu=v4: what 6.6 brought. */
#include "bpf.h"

__s8 byte;
__s64 number;
__u64 word;

SEC("perf_event") int extending_load(void *context)
{
	return *(volatile __s8 *)&byte;
}

SEC("perf_event") int extending_move(void *context)
{
	return (__s8)any();
}

SEC("perf_event") int signed_division(void *context)
{
	return number / (__s64)(any() | 1);
}

SEC("perf_event") int swaps_bytes(void *context)
{
	return __builtin_bswap64(word) >> 3;
}

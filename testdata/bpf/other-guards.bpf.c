/* Questions that libbpf answers: for the release, for a kind of map. Kernels before 5.17 don't get to the helper. */
#include "bpf.h"

#define KERNEL(major, minor) (((major) << 16) + ((minor) << 8))

extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));

static long (*const strncmp)(const char *one, __u32 size, const char *other) = (void *)BPF_FUNC_strncmp;

static const char a[] = "a";

SEC("perf_event") int by_release(void *context)
{
	if (LINUX_KERNEL_VERSION >= KERNEL(5, 17))
		return strncmp(a, 1, a);
	return 0;
}

SEC("perf_event") int by_map(void *context)
{
	if (exists(enum bpf_map_type, BPF_MAP_TYPE_USER_RINGBUF))
		return strncmp(a, 1, a);
	return 0;
}

#include "perf_events.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int open_on(int cpu, struct perf_event_attr *attributes)
{
	int descriptor;

	attributes->size = sizeof(*attributes);
	descriptor = (int)syscall(SYS_perf_event_open, attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

int perf_open_sampling(int cpu, uint32_t type, uint64_t config, uint64_t rate, int is_frequency)
{
	/* The frequency and the period are one field. */
	struct perf_event_attr attributes = {
		.type = type,
		.config = config,
		.sample_period = rate,
		.freq = is_frequency ? 1 : 0,
		.disabled = 1,
	};

	return open_on(cpu, &attributes);
}

int perf_open_process_events(int cpu, uint32_t watermark)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TIME,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
		.watermark = 1,
		.wakeup_watermark = watermark,
	};

	return open_on(cpu, &attributes);
}

int perf_enable(int descriptor, int on)
{
	return ioctl(descriptor, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0) ? -errno : 0;
}

uint64_t perf_enabled_time(int descriptor)
{
	struct {
		uint64_t count;
		uint64_t enabled;
	} values;

	return read(descriptor, &values, sizeof(values)) == sizeof(values) ? values.enabled : 0;
}

uint64_t perf_head(const struct perf_event_mmap_page *page)
{
	return __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
}

void perf_set_tail(struct perf_event_mmap_page *page, uint64_t tail)
{
	__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
}

uint64_t perf_address_bits(void)
{
#ifdef __aarch64__
	/* Strips the code from the highest user address. Without pointer authentication, xpaclri does nothing. */
	register uint64_t address __asm__("x30") = ~0ull >> 9;

	__asm__("hint #7" : "+r"(address));
	return address;
#else
	return ~0ull;
#endif
}

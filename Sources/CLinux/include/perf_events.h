/* The parts of perf_event_open(2) that Swift can't express: bit fields, variadic system calls, memory order. */
#ifndef CFIC_PERF_EVENTS_H
#define CFIC_PERF_EVENTS_H

#include <linux/perf_event.h>
#include <stdint.h>

/*
 * Samples all tasks of a CPU by an event, `rate` times a second or each `rate`th event; starts disabled. Returns a
 * descriptor, or -errno.
 */
int perf_open_sampling(int cpu, uint32_t type, uint64_t config, uint64_t rate, int is_frequency);

/*
 * Records executable mappings, exec, fork and exit of all tasks of a CPU, with CLOCK_MONOTONIC times. The descriptor
 * becomes readable when there are `watermark` bytes more. Returns the descriptor, or -errno.
 */
int perf_open_process_events(int cpu, uint32_t watermark);

/* Enables (1) or disables (0) an event. Returns 0, or -errno. */
int perf_enable(int descriptor, int on);

/*
 * How long an event of perf_open_process_events has been enabled, in ns. Of one whose CPU went offline it doesn't change
 * any more, also if the CPU is back. 0 if it can't be read.
 */
uint64_t perf_enabled_time(int descriptor);

/* The position up to which the kernel has written records, in bytes. */
uint64_t perf_head(const struct perf_event_mmap_page *page);

/* Tells the kernel that the records up to this position have been read. */
void perf_set_tail(struct perf_event_mmap_page *page, uint64_t tail);

/* The bits of a return address that are not part of a pointer authentication code, on this machine. */
uint64_t perf_address_bits(void);

#endif

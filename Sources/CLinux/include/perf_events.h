/* What of perf_event_open(2) is needed: structures with bit fields, system calls with many arguments, memory order. */
#ifndef CFIC_PERF_EVENTS_H
#define CFIC_PERF_EVENTS_H

#include <linux/perf_event.h>
#include <stdint.h>

/* Samples all of a CPU's tasks, disabled at first: a descriptor, or -errno. Of hardware: cycles; else the CPU's clock. */
int perf_open_sampling(int cpu, int hardware, uint64_t frequency);

/*
 * Records of executable mappings, of exec, fork and exit of all of a CPU's tasks, with CLOCK_MONOTONIC times, which wake
 * who polls the descriptor: a descriptor, or -errno.
 */
int perf_open_process_events(int cpu);

/* Enables (1) or disables (0) an event; 0, or -errno. */
int perf_enable(int descriptor, int on);

/* How far the kernel has written; what comes before is there to be read. */
uint64_t perf_head(const struct perf_event_mmap_page *page);

/* Says that what comes before has been read. */
void perf_set_tail(struct perf_event_mmap_page *page, uint64_t tail);

/* The bits of a return address that are not a pointer authentication code, on the machine that this runs on. */
uint64_t perf_address_bits(void);

#endif

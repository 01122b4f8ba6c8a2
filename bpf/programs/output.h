/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The beginning and the end of a sample: kernel frames, counters, output to the ring buffer. */
#ifndef CFIC_PROGRAM_OUTPUT_H
#define CFIC_PROGRAM_OUTPUT_H

#include "maps.h"

static __always_inline void begin(struct walk *walk, __u32 process)
{
	walk->sample.cpu = bpf_get_smp_processor_id();
	walk->process = process;
	walk->mapping_size = 0;
	walk->window_words = 0;
	walk->mapping_lookups = 0;
	walk->stack_reads = 0;
	walk->other_reads = 0;
	walk->guesses = 0;
	walk->inferred = 0;
	walk->frame_count = 0;
	walk->frame_limit = settings.frames_max;
	walk->sample.kernel_count = 0;
	walk->sample.guessed_count = 0;
	walk->sample.mappings = 0;
	walk->sample.share = 0;
}

/* The same for a process id; 0 if the process is listed. */
static __always_inline int begin_listed(struct walk *walk, __u32 process)
{
	const __u32 *place = bpf_map_lookup_elem(&processes, &process);

	if (!place)
		return -1;
	begin(walk, *place);
	return 0;
}

/* Whether the current thread passes the filters. Its name is in the sample. */
static __always_inline int is_wanted(const struct walk *walk, __u32 thread)
{
	if ((settings.filters & CFIC_FILTER_THREADS) && !bpf_map_lookup_elem(&wanted_threads, &thread))
		return 0;
	if ((settings.filters & CFIC_FILTER_COMMANDS) && !bpf_map_lookup_elem(&wanted_commands, walk->sample.command))
		return 0;
	/* Negative if the map is empty. */
	return !(settings.filters & CFIC_FILTER_CGROUPS) || bpf_current_task_under_cgroup(&wanted_cgroup, 0) == 1;
}

/* Begins a sample of the current thread: 0 if it is to be sampled. */
static __always_inline int begin_sample(struct walk *walk, __u64 id)
{
	/* The idle task. */
	if (!(__u32)id)
		return -1;
	if (begin_listed(walk, id >> 32)) {
		if (!settings.everyone)
			return -1;
		begin(walk, 0);
	}
	walk->sample.time = bpf_ktime_get_ns();
	walk->sample.thread = (__u32)id;
	bpf_get_current_comm(walk->sample.command, sizeof(walk->sample.command));
	return is_wanted(walk, id) ? 0 : -1;
}

/* Whether a walk that ended so has no frames, because only the kernel's were left, and those are not wanted. */
static __always_inline int has_no_frames(enum cfic_step step)
{
	return !settings.kernel_frames && (step == CFIC_STEP_KERNEL_THREAD || step == CFIC_STEP_NO_USER_CODE);
}

/*
 * Whether the current hit of a tracepoint is sampled: each Nth one on each CPU of those that are to be sampled. The kernel
 * runs the program for each hit, whatever the period of the event that it is attached to.
 */
static __always_inline int is_turn(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&hits, &zero);

	if (!count || ++*count < settings.tracepoint_period)
		return 0;
	*count = 0;
	return 1;
}

static __always_inline void take_kernel_frames(struct walk *walk, void *context)
{
	long size = bpf_get_stack(context, walk->frames, CFIC_KERNEL_FRAMES_MAX * sizeof(__u64), 0);
	__u32 count = size > 0 ? (__u64)size / sizeof(__u64) : 0;

	if (count > CFIC_KERNEL_FRAMES_MAX)
		count = CFIC_KERNEL_FRAMES_MAX;
	walk->frame_count = count;
	walk->frame_limit = count + settings.frames_max;
	walk->sample.kernel_count = count;
}

/* The number of lookups: one per user frame, except where there was no table, and except guessed steps. */
static __always_inline __u32 lookups(const struct walk *walk, enum cfic_step step)
{
	__u32 without = walk->guesses;

	if (step == CFIC_STEP_NO_MAPPING || step == CFIC_STEP_NO_TABLE || step == CFIC_STEP_NO_PROCESS
		|| step == CFIC_STEP_TABLE_PENDING || step == CFIC_STEP_TABLE_EVICTED)
		without++;
	return walk->sample.user_count > without ? walk->sample.user_count - without : 0;
}

/* Adds the walk's counts to this CPU's counters. Plain additions suffice, because only this CPU writes them. */
static __always_inline void count(struct walk *walk, enum cfic_step step)
{
	__u32 zero = 0, end = step, complete, guessed;
	struct cfic_counters *all = bpf_map_lookup_elem(&counters, &zero);

	if (!all)
		return;
	/* Hides from the compiler that `end` is small; otherwise it drops the mask below, which the verifier needs. */
	barrier_var(end);
	all->samples++;
	all->kernel_frames += walk->sample.kernel_count;
	all->user_frames += walk->sample.user_count;
	all->guessed_frames += walk->sample.guessed_count;
	all->inferred_frames += walk->inferred;
	complete = cfic_is_complete(step, walk->sample.guessed_count);
	guessed = cfic_is_outermost(step) && !complete;
	all->complete += complete;
	all->guessed += guessed;
	all->lookups += lookups(walk, step);
	all->mapping_lookups += walk->mapping_lookups;
	all->stack_reads += walk->stack_reads;
	all->other_reads += walk->other_reads;
	all->ends[end & 31]++;
}

static __always_inline void fill_in(struct walk *walk, enum cfic_step step)
{
	walk->sample.user_count = walk->frame_count - walk->sample.kernel_count;
	walk->sample.end = step;
	walk->sample.reason = step == CFIC_STEP_NO_RULE ? (__u32)walk->rule.cfa_offset : 0;
}

/*
 * User space is woken only if it would otherwise read too late: it reads several times a second anyway, and if it were
 * woken by each sample, it would cost more than the samples, and its own waits would never end.
 */
static __always_inline __u64 wake_up(void *ring)
{
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 2
		? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	struct cfic_counters *all = bpf_map_lookup_elem(&counters, &zero);

	if (all)
		all->lost++;
}

/* Outputs the sample of the current thread, whose time and share are set: 0 if there was room. */
static __always_inline int finish(struct walk *walk, enum cfic_step step, __u64 id)
{
	__u64 size = sizeof(walk->sample) + (__u64)walk->frame_count * sizeof(__u64);

	fill_in(walk, step);
	count(walk, step);
	walk->sample.cgroup = bpf_get_current_cgroup_id();
	walk->sample.process = id >> 32;
	if (size > sizeof(walk->sample) + sizeof(walk->frames))
		return -1;
	if (bpf_ringbuf_output(&samples, &walk->sample, size, wake_up(&samples)) == 0)
		return 0;
	count_lost();
	return -1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which waits are sampled, and how long they are. */
#ifndef CFIC_PROGRAM_WAITS_H
#define CFIC_PROGRAM_WAITS_H

#include "output.h"
#include "task.h"

/* TASK_DEAD of linux/sched.h: the thread does not come back. */
#define TASK_IS_DEAD 0x80

/*
 * Whether a thread that the scheduler replaces waits for something, and does not only wait for a CPU. Its state may have
 * changed to that of a thread that is being woken, but not to that of one that runs, because the scheduler still holds
 * the lock of its run queue. So the state that is passed to the tracepoint since Linux 5.18 is not needed.
 */
static __always_inline int is_to_wait(const struct task_struct *task, int is_preempted)
{
	const struct task_struct___before_5_14 *before = (const void *)task;
	__u64 state;

	if (bpf_core_field_exists(task->__state))
		state = task->__state;
	else
		state = before->state;
	return !is_preempted && state && !(state & TASK_IS_DEAD);
}

/* A random number, by Marsaglia's xorshift: the kernel's own costs a call at each wait. */
static __always_inline __u32 next_random(struct wait_round *round)
{
	__u32 random = round->random;

	if (!random)
		random = bpf_get_prandom_u32() | 1;
	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	return round->random = random;
}

/*
 * 2^32 times the share of waits that is sampled here and now, if this wait is among them; else 0. The share depends only
 * on the past, so that lengths divided by it add up to the length of all waits.
 */
static __always_inline __u64 draw(void)
{
	__u32 zero = 0, threshold;
	const struct cfic_wait_share *share = bpf_map_lookup_elem(&wait_share, &zero);
	struct wait_round *round = bpf_map_lookup_elem(&wait_rounds, &zero);

	if (!share || !round)
		return 0;
	if (round->round != share->round) {
		round->round = share->round;
		round->taken = 0;
		round->shift = 0;
	}
	threshold = share->threshold >> (round->shift & 31);
	/* The random numbers begin with 1. */
	return next_random(round) - 1 <= threshold ? (__u64)threshold + 1 : 0;
}

/* Counts a sample of a wait towards this CPU's budget. */
static __always_inline void spend(void)
{
	__u32 zero = 0;
	struct wait_round *round = bpf_map_lookup_elem(&wait_rounds, &zero);

	if (!round || !settings.wait_budget || ++round->taken < settings.wait_budget)
		return;
	round->taken = 0;
	if (round->shift + CFIC_WAIT_SHARE_BITS <= 31)
		round->shift += CFIC_WAIT_SHARE_BITS;
}

static __always_inline __u32 *wait_hint(__u32 thread)
{
	__u32 hint = thread & (WAIT_HINTS - 1);

	return bpf_map_lookup_elem(&wait_hints, &hint);
}

/* Notes that a thread waits: 0 if there was room. It can't come back before the program that calls this ends. */
static __always_inline int note_wait(__u32 thread, __u64 began)
{
	__u32 *hint = wait_hint(thread);

	if (!hint || bpf_map_update_elem(&waits, &thread, &began, BPF_ANY))
		return -1;
	__atomic_fetch_add(hint, 1, __ATOMIC_RELAXED);
	return 0;
}

/* Gives out how long a thread that is about to run has waited, if its wait was sampled. */
static __always_inline void come_back(__u32 thread)
{
	struct cfic_wait wait = { .thread = thread };
	__u32 *hint = wait_hint(thread);
	const __u64 *began;

	if (!hint || !*hint)
		return;
	began = bpf_map_lookup_elem(&waits, &thread);
	if (!began)
		return;
	wait.began = *began;
	wait.waited = bpf_ktime_get_ns() - wait.began;
	bpf_map_delete_elem(&waits, &thread);
	__atomic_fetch_add(hint, -1, __ATOMIC_RELAXED);
	if (wait.waited >= settings.wait_minimum && bpf_ringbuf_output(&samples, &wait, sizeof(wait), wake_up(&samples)))
		count_lost();
}

#endif

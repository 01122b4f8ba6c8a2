/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The program that samples waits on one machine. Included once per machine, after profile.h. */

/*
 * Samples the current thread, which is about to wait. The sample is given out at once; how long the thread waited follows
 * when it comes back.
 */
static __always_inline void NAME(go)(__u64 *context, __u64 share)
{
	__u64 id = bpf_get_current_pid_tgid(), began;
	struct walk *walk = this_walk();
	__u32 thread = id;
	enum cfic_step step;

	if (!walk || begin_sample(walk, id))
		return;
	spend();
	if (settings.kernel_frames)
		take_kernel_frames(walk, context);
	step = NAME(take_entry_registers)(walk);
	if (has_no_frames(step))
		return;
	step = NAME(follow)(walk, step);
	walk->sample.share = share;
	began = walk->sample.time;
	if (finish(walk, step, id) == 0 && note_wait(thread, began))
		count_lost();
}

/* The tracepoint's arguments: whether the thread that goes was preempted, that thread, and the one that comes. */
SEC("?tp_btf/sched_switch")
int NAME(off_cpu)(__u64 *context)
{
	const struct task_struct *previous = (const void *)context[1], *next = (const void *)context[2];
	__u64 share;

	/* Not the idle task. */
	if (next->pid)
		come_back(next->pid);
	if (!previous->pid || !is_to_wait(previous, context[0]))
		return 0;
	share = draw();
	if (share)
		NAME(go)(context, share);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Updates the map of processes at fork and exec, before the first instruction of the new process or executable runs. */
#ifndef CFIC_PROGRAM_FOLLOW_H
#define CFIC_PROGRAM_FOLLOW_H

#include "maps.h"
#include "task.h"

static __always_inline void count_unlisted(void)
{
	__u32 zero = 0;
	struct cfic_counters *all = bpf_map_lookup_elem(&counters, &zero);

	if (all)
		all->unlisted++;
}

/*
 * Publishes the mappings of the parent for a new process, too. If the parent isn't listed, deletes the entry of an
 * earlier process with the same id.
 */
SEC("?raw_tp/sched_process_fork")
int follow_fork(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *child = (void *)context->args[1];
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	__u32 process = BPF_CORE_READ(child, tgid);
	__u32 *place, copy;

	/* A new thread, not a new process. */
	if (process == parent)
		return 0;
	place = settings.follow ? bpf_map_lookup_elem(&processes, &parent) : 0;
	if (!place)
		return bpf_map_delete_elem(&processes, &process);
	copy = *place;
	if (bpf_map_update_elem(&processes, &process, &copy, BPF_ANY))
		count_unlisted();
	return 0;
}

/*
 * Supersedes the mappings of a process that executes another file. The loader will publish the new ones: if everyone is
 * sampled, not before the process is sampled.
 */
SEC("?raw_tp/sched_process_exec")
int follow_exec(struct bpf_raw_tracepoint_args *context)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	__u32 none = 0;

	(void)context;
	if (settings.everyone)
		return bpf_map_delete_elem(&processes, &process);
	return bpf_map_update_elem(&processes, &process, &none, BPF_EXIST);
}

#endif

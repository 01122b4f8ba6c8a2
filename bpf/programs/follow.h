/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keeps the map of processes right where a program can: before the first instruction of a new process, or program. */
#ifndef CFIC_PROGRAM_FOLLOW_H
#define CFIC_PROGRAM_FOLLOW_H

#include "maps.h"
#include "task.h"

/* A new process maps what its parent does. If that isn't listed, an earlier process of the same id is no longer there. */
SEC("?raw_tp/sched_process_fork")
int follow_fork(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *child = (void *)context->args[1];
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	__u32 process = BPF_CORE_READ(child, tgid);
	__u32 *place, copy;

	/* A thread of the same process. */
	if (process == parent)
		return 0;
	place = settings.follow ? bpf_map_lookup_elem(&processes, &parent) : 0;
	if (!place)
		return bpf_map_delete_elem(&processes, &process);
	copy = *place;
	return bpf_map_update_elem(&processes, &process, &copy, BPF_ANY);
}

/* What the process mapped is gone; what it maps now, the loader will say. */
SEC("?raw_tp/sched_process_exec")
int follow_exec(struct bpf_raw_tracepoint_args *context)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	__u32 none = 0;

	(void)context;
	return bpf_map_update_elem(&processes, &process, &none, BPF_EXIST);
}

#endif

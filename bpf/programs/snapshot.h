/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Snapshots (struct cfic_snapshot): what user space needs to repeat a walk, or to go on with it. */
#ifndef CFIC_PROGRAM_SNAPSHOT_H
#define CFIC_PROGRAM_SNAPSHOT_H

#include "output.h"
#include "task.h"

/* Whether a walk that ended so comes with a snapshot. Counts it. */
static __always_inline int is_snapshot_due(struct walk *walk, enum cfic_step step)
{
	if (settings.snapshot_every && ++walk->walks >= settings.snapshot_every) {
		walk->walks = 0;
		return 1;
	}
	return (settings.snapshot_ends >> (step & 31)) & 1;
}

/* Keeps the registers of the innermost frame, which the walk changes. */
static __always_inline void keep_registers(struct walk *walk)
{
	if (!settings.snapshot_every && !settings.snapshot_ends)
		return;
	__builtin_memcpy(walk->first_registers, walk->frame.machine.registers, sizeof(walk->first_registers));
	walk->first_pc = walk->frame.machine.pc;
}

/* Reads the chunks of the stack from an address upward. A chunk is never on two memory pages. */
static __always_inline void read_stack(struct cfic_snapshot *snapshot, __u64 from)
{
	__u8 *memory = (__u8 *)(snapshot + 1);

	snapshot->start = from & -(__u64)CFIC_SNAPSHOT_CHUNK;
	snapshot->chunks = 0;
	for (__u32 chunk = 0; chunk < CFIC_SNAPSHOT_CHUNKS; chunk++) {
		__u32 offset = chunk * CFIC_SNAPSHOT_CHUNK;

		if (bpf_probe_read_user(memory + offset, CFIC_SNAPSHOT_CHUNK, (const void *)(snapshot->start + offset)) == 0)
			snapshot->chunks |= 1u << chunk;
	}
}

/* Gives out a snapshot of the registers that were kept, and of the stack from `below` bytes below the stack pointer on. */
static __always_inline void give_snapshot(const struct walk *walk, __u64 stack_pointer, __u32 below)
{
	struct cfic_snapshot *snapshot =
		bpf_ringbuf_reserve(&snapshots, sizeof(*snapshot) + CFIC_SNAPSHOT_MEMORY, 0);
	struct cfic_counters *all;
	__u32 zero = 0;

	/* Compared once: verifiers before 5.12 forget that it isn't null, and would miss its release. */
	if (!snapshot) {
		all = bpf_map_lookup_elem(&counters, &zero);
		if (all)
			all->lost_snapshots++;
		return;
	}
	snapshot->time = walk->sample.time;
	snapshot->thread = walk->sample.thread;
	snapshot->cpu = walk->sample.cpu;
	snapshot->reserved = 0;
	snapshot->stack_start = stack_start();
	snapshot->pc = walk->first_pc;
	__builtin_memcpy(snapshot->registers, walk->first_registers, sizeof(snapshot->registers));
	read_stack(snapshot, stack_pointer - below);
	all = bpf_map_lookup_elem(&counters, &zero);
	if (all)
		all->snapshots++;
	bpf_ringbuf_submit(snapshot, wake_up(&snapshots));
}

#endif

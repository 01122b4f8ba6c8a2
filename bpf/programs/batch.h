/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookups and walks of one machine that user space requests (cfic/batch.h). Included once per machine, after
 * programs.h.
 */

#define LOOKUPS_PER_CALL 8

/* LOOKUPS_PER_CALL lookups, from index `first` on, which is below CFIC_BATCH_LOOKUPS. */
int NAME(look_up_some)(__u32 first)
{
	struct walk *walk = this_walk();
	__u32 zero = 0;
	struct cfic_batch *batch = bpf_map_lookup_elem(&batches, &zero);

	if (!walk || !batch)
		return -1;
	for (__u32 turn = 0; turn < LOOKUPS_PER_CALL; turn++) {
		__u32 index = (first + turn) & (CFIC_BATCH_LOOKUPS - 1);
		__u64 pc = batch->pcs[index];

		if (batch->what & CFIC_BATCH_CHAIN)
			pc += (walk->rule.kind & walk->rule.kind >> 2) & 1; /* adds 0: no CFA kind has both bits */
		batch->steps[index] = batch->what & CFIC_BATCH_EMPTY
			? CFIC_STEP_NO_TABLE : find(walk, pc, &walk->rule, MACHINE);
		batch->rules[index] = walk->rule;
	}
	return 0;
}

SEC("?raw_tp")
int NAME(look_up)(void *context)
{
	__u32 zero = 0;
	struct cfic_batch *batch = bpf_map_lookup_elem(&batches, &zero);
	struct walk *walk = this_walk();

	(void)context;
	if (!batch || !walk || begin_listed(walk, batch->process))
		return -1;
	for (__u32 first = 0; first < CFIC_BATCH_LOOKUPS && first < batch->count; first += LOOKUPS_PER_CALL)
		NAME(look_up_some)(first);
	count(walk, CFIC_STEP_CALLER);
	return 0;
}

int NAME(walk_once)(void)
{
	__u32 zero = 0;
	struct cfic_batch *batch = bpf_map_lookup_elem(&batches, &zero);
	struct walk *walk = this_walk();
	enum cfic_step step;

	if (!batch || !walk || begin_listed(walk, batch->process))
		return -1;
	__builtin_memcpy(walk->frame.machine.registers, batch->registers, sizeof(batch->registers));
	walk->frame.machine.pc = batch->pc;
	step = NAME(walk)(walk);
	fill_in(walk, step);
	count(walk, step);
	return 0;
}

SEC("?raw_tp")
int NAME(walk_stack)(void *context)
{
	__u32 zero = 0;
	struct cfic_batch *batch = bpf_map_lookup_elem(&batches, &zero);
	struct walk *walk = this_walk();

	(void)context;
	if (!batch || !walk)
		return -1;
	for (__u32 turn = 0; turn < CFIC_BATCH_WALKS && turn < batch->count; turn++)
		NAME(walk_once)();
	batch->sample = walk->sample;
	return bpf_probe_read_kernel(batch->frames, sizeof(batch->frames), walk->frames);
}

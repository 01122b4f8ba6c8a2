/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cfic/native.h"

static int read_memory(const struct cfic_reader *reader, void *to, __u32 size, __u64 address)
{
	return reader->read(reader->context, to, size, address);
}

static const struct cfic_op *operation(const struct cfic_reader *reader, __u32 index)
{
	return index < reader->operation_count ? reader->operations + index : 0;
}

static enum cfic_step find(struct cfic_reader *reader, __u64 pc, struct cfic_rule *rule)
{
	const struct cfic_native_table *table = 0;
	__u64 bias = 0;
	enum cfic_step found = reader->find(reader->context, pc, &table, &bias);

	if (found != CFIC_STEP_CALLER)
		return found;
	*rule = cfic_native_rule(table, cfic_native_lookup(table, pc - bias));
	reader->operations = table->operations;
	reader->operation_count = table->operation_count;
	return CFIC_STEP_CALLER;
}

#define CFIC_READ(reader, to, size, address) read_memory((reader), (to), (size), (address))
#define CFIC_OPERATION(reader, index) operation((reader), (index))
#define CFIC_FIND(reader, pc, rule, e_machine) find((reader), (pc), (rule))
#define CFIC_GUESSES(reader) (((const struct cfic_reader *)(reader))->guesses)
#define CFIC_STACK_START(reader) (((const struct cfic_reader *)(reader))->stack_start)

#include "cfic/walk.h"

enum cfic_step cfic_native_unwind(
	struct cfic_reader *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 machine)
{
	return cfic_unwind(reader, frame, rule, machine);
}

enum cfic_step cfic_native_step(struct cfic_reader *reader, struct cfic_frame *frame, __u32 machine)
{
	struct cfic_rule rule;

	return cfic_walk_step(reader, frame, &rule, machine);
}

enum cfic_step cfic_native_walk(
	struct cfic_reader *reader, struct cfic_frame *frame, __u32 machine,
	void (*visit)(void *context, const struct cfic_frame *frame), void *context)
{
	for (__u32 count = 0; count < CFIC_FRAMES_MAX; count++) {
		enum cfic_step step;

		visit(context, frame);
		step = cfic_native_step(reader, frame, machine);
		if (step != CFIC_STEP_CALLER)
			return step;
	}
	return CFIC_STEP_TOO_DEEP;
}

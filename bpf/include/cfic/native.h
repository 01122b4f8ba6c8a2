/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lookup.h, step.h and walk.h compiled for user space: for core dumps, other processes, and tests of the BPF code. */
#ifndef CFIC_NATIVE_H
#define CFIC_NATIVE_H

#include "frame.h"
#include "steps.h"
#include "table.h"

/* The sections of a verified table; docs/table-format.md, "Verification". */
struct cfic_native_table {
	const struct cfic_range *ranges;
	const __u32 *directory;
	const struct cfic_template *templates;
	const struct cfic_short_rule *rules;
	const struct cfic_rule *long_rules;
	const struct cfic_op *operations;
	const unsigned char *pages;
	__u32 range_count;
	__u32 operation_count;
	__u32 first_template; /* its symbol */
	__u32 template_count;
	__u16 machine; /* ELF e_machine */
	__u8 pc_shift;
};

/* The number of the rule at an SVMA; 0, "no information", outside the table's pages. */
__u32 cfic_native_lookup(const struct cfic_native_table *table, __u64 address);

/* A rule by its number, which must be below the number of the table's rules. */
struct cfic_rule cfic_native_rule(const struct cfic_native_table *table, __u32 number);

struct cfic_reader {
	/* Reads memory of the process or core dump that is unwound; 0 if all of it could be read. */
	int (*read)(void *context, void *to, __u32 size, __u64 address);
	/*
	 * Finds the table for pc and its bias, AVMA - SVMA: CFIC_STEP_CALLER; else CFIC_STEP_NO_MAPPING or
	 * CFIC_STEP_NO_TABLE. Needed only for steps and walks.
	 */
	enum cfic_step (*find)(void *context, __u64 pc, const struct cfic_native_table **table, __u64 *bias);
	void *context;
	/* Programs of the current rule's table; a walk sets them. */
	const struct cfic_op *operations;
	__u32 operation_count;
	/* Whether walks guess callers of code without call frame information. Then they read code, too. */
	__u32 guesses;
	/* The stack pointer when the process's program began; 0 if it isn't known. */
	__u64 stack_start;
};

/* Replaces the frame with its caller's, by a rule. `machine` is CFIC_MACHINE_*. */
enum cfic_step cfic_native_unwind(
	struct cfic_reader *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 machine);

/* Replaces the frame with its caller's, by the rule at its pc. */
enum cfic_step cfic_native_step(struct cfic_reader *reader, struct cfic_frame *frame, __u32 machine);

/*
 * Visits the frame, its caller, and so on up to the last one that can be found, at most CFIC_FRAMES_MAX. Returns the
 * end of the last frame's step, or CFIC_STEP_TOO_DEEP.
 */
enum cfic_step cfic_native_walk(
	struct cfic_reader *reader, struct cfic_frame *frame, __u32 machine,
	void (*visit)(void *context, const struct cfic_frame *frame), void *context);

#endif

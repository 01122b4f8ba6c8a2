/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lookup.h, step.h and walk.h, compiled for user space: for cores and other processes, and to test what kernels run. */
#ifndef CFIC_NATIVE_H
#define CFIC_NATIVE_H

#include "frame.h"
#include "steps.h"
#include "table.h"

/* Where the sections of a verified table are; docs/table-format.md, "Verification". */
struct cfic_native_table {
	const struct cfic_range *ranges;
	const __u32 *directory;
	const struct cfic_rule *rules;
	const struct cfic_op *operations;
	const unsigned char *pages;
	__u32 range_count;
	__u32 operation_count;
	__u16 machine; /* ELF e_machine */
	__u8 pc_shift;
};

/* The number of the rule in force at an SVMA: 0, "no information", where no page is. */
__u32 cfic_native_lookup(const struct cfic_native_table *table, __u64 address);

struct cfic_reader {
	/* Reads memory of what is unwound; 0 if all of it could be read. */
	int (*read)(void *context, void *to, __u32 size, __u64 address);
	/*
	 * The table of what is mapped at pc, and what to subtract of addresses to get SVMAs; else CFIC_STEP_NO_MAPPING or
	 * CFIC_STEP_NO_TABLE. Needed by walks only.
	 */
	enum cfic_step (*find)(void *context, __u64 pc, const struct cfic_native_table **table, __u64 *bias);
	void *context;
	/* Programs of the rule at hand; a walk sets them. */
	const struct cfic_op *operations;
	__u32 operation_count;
	/* Whether walks guess on where there is no call frame information; then the code is read, too. */
	__u32 guesses;
};

/* Makes the frame that of its caller by a rule. `machine` is CFIC_MACHINE_*. */
enum cfic_step cfic_native_unwind(
	struct cfic_reader *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 machine);

/* Makes the frame that of its caller by the rule in force where it stands. */
enum cfic_step cfic_native_step(struct cfic_reader *reader, struct cfic_frame *frame, __u32 machine);

/*
 * Hands out the frame, its caller, and so on to the last one that can be found, CFIC_FRAMES_MAX at most. Returns how
 * the last one's step ended, or CFIC_STEP_TOO_DEEP.
 */
enum cfic_step cfic_native_walk(
	struct cfic_reader *reader, struct cfic_frame *frame, __u32 machine,
	void (*visit)(void *context, const struct cfic_frame *frame), void *context);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* step.h, compiled for user space: to unwind cores and other processes, and to test what the kernel runs. */
#ifndef CFIC_NATIVE_H
#define CFIC_NATIVE_H

#include "frame.h"
#include "steps.h"
#include "table.h"

struct cfic_reader {
	/* Reads memory of what is unwound; 0 if all of it could be read. */
	int (*read)(void *context, void *to, __u32 size, __u64 address);
	void *context;
	/* The expressions of a verified table. */
	const struct cfic_op *operations;
	__u32 operation_count;
};

/* Makes the frame that of its caller. `machine` is the table's, an ELF e_machine: EM_X86_64 or EM_AARCH64. */
enum cfic_step cfic_native_unwind(
	struct cfic_reader *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 machine);

#endif

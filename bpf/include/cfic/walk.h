/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A step of a walk: the rule in force where a frame stands, and by it the frame's caller. Besides what program.h asks
 * for, who includes this defines, before:
 *
 *   CFIC_FIND(reader, pc, rule)   copies the rule in force at pc to *rule: CFIC_STEP_CALLER; or CFIC_STEP_NO_MAPPING,
 *                                 CFIC_STEP_NO_TABLE
 */
#ifndef CFIC_WALK_H
#define CFIC_WALK_H

#include "step.h"

CFIC_INLINE enum cfic_step cfic_walk_step(void *reader, struct cfic_frame *frame, __u32 e_machine)
{
	struct cfic_rule rule;
	enum cfic_step found = CFIC_FIND(reader, cfic_lookup_pc(frame), &rule);

	return found == CFIC_STEP_CALLER ? cfic_unwind(reader, frame, &rule, e_machine) : found;
}

#endif

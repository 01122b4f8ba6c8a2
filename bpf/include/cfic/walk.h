/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A step of a walk: the rule in force where a frame stands, and by it the frame's caller. Besides what program.h asks
 * for, who includes this defines, before:
 *
 *   CFIC_FIND(reader, pc, rule, e_machine)   copies the rule in force at pc to *rule: CFIC_STEP_CALLER; or
 *                                            CFIC_STEP_NO_MAPPING, CFIC_STEP_NO_TABLE
 *   CFIC_GUESSES(reader)                     whether the callers of code without call frame information are guessed
 */
#ifndef CFIC_WALK_H
#define CFIC_WALK_H

#include "inline.h"
#include "rule.h"

#if !defined(CFIC_FIND) || !defined(CFIC_GUESSES)
#error "define CFIC_FIND and CFIC_GUESSES first, as the head of this file says"
#endif

/* Whether no FDE covers the address. */
CFIC_INLINE int cfic_says_nothing(const struct cfic_rule *rule)
{
	return rule->kind == CFIC_CFA_NONE && rule->cfa_offset == CFIC_REASON_NO_INFORMATION;
}

#include "guess.h"

/*
 * Rules that are not usual ones, guesses, and what guesses ask for; a kernel program may define these first, to have
 * them in functions of their own.
 */
#ifndef CFIC_UNWIND
#define CFIC_UNWIND(reader, frame, rule, e_machine) cfic_unwind_unusual((reader), (frame), (rule), (e_machine))
#define CFIC_GUESS(reader, frame, e_machine) cfic_guess((reader), (frame), (e_machine))
#endif

/* By any rule, but where it reads a stack pointer that a guess left unknown: there one guess leads to the next. */
CFIC_INLINE enum cfic_step cfic_unwind_unusual(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	if (e_machine == CFIC_MACHINE_AARCH64 && (frame->flags & CFIC_FRAME_NO_STACK_POINTER)
		&& cfic_reads(reader, rule, CFIC_AARCH64_SP))
		return CFIC_GUESS(reader, frame, e_machine);
	return cfic_unwind(reader, frame, rule, e_machine);
}

/* *rule is where the rule is put. */
CFIC_INLINE enum cfic_step cfic_walk_step(
	void *reader, struct cfic_frame *frame, struct cfic_rule *rule, __u32 e_machine)
{
	enum cfic_step found = CFIC_FIND(reader, cfic_lookup_pc(frame), rule, e_machine);

	if (found == CFIC_STEP_CALLER && cfic_is_usual(frame, rule, e_machine))
		return cfic_unwind_usual(reader, frame, rule, e_machine);
	/* Where a table has a reason, there is information: only what nothing is known of may be guessed. */
	if (CFIC_GUESSES(reader)
		&& (found == CFIC_STEP_NO_TABLE || (found == CFIC_STEP_CALLER && cfic_says_nothing(rule))))
		return CFIC_GUESS(reader, frame, e_machine);
	if (found != CFIC_STEP_CALLER)
		return found;
	return CFIC_UNWIND(reader, frame, rule, e_machine);
}

#endif

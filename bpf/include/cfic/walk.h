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
#include "known_code.h"

/*
 * Rules that are not usual ones, guesses, and what guesses ask for; a kernel program may define these first, to have
 * them in functions of their own.
 */
#ifndef CFIC_UNWIND
#define CFIC_UNWIND(reader, frame, rule, e_machine) cfic_unwind_unusual((reader), (frame), (rule), (e_machine))
#define CFIC_GUESS(reader, frame, e_machine) cfic_guess((reader), (frame), (e_machine))
#define CFIC_KNOWN_CODE(reader, frame, e_machine) cfic_known_code((reader), (frame), (e_machine))
#define CFIC_IS_CALLED_FROM(reader, frame, e_machine) cfic_is_called_from((reader), (frame), (e_machine))
#endif

/* Not a step's end: the rule reads a stack pointer that a guess left unknown. */
#define CFIC_STEP_GUESS CFIC_STEP_COUNT

/* By any rule; else CFIC_STEP_GUESS. */
CFIC_INLINE enum cfic_step cfic_unwind_unusual(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	if (e_machine == CFIC_MACHINE_AARCH64 && (frame->flags & CFIC_FRAME_NO_STACK_POINTER)
		&& cfic_reads(reader, rule, CFIC_AARCH64_SP))
		return CFIC_STEP_GUESS;
	return cfic_unwind(reader, frame, rule, e_machine);
}

/* One guess leads to the next: not from within CFIC_UNWIND, so that the functions of kernel programs nest less. */
CFIC_INLINE enum cfic_step cfic_walk_by_rule(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	enum cfic_step step = CFIC_UNWIND(reader, frame, rule, e_machine);

	/* Kernel programs have them in a map. */
	(void)reader, (void)frame, (void)rule;
	return e_machine == CFIC_MACHINE_AARCH64 && step == CFIC_STEP_GUESS
		? CFIC_GUESS(reader, frame, e_machine) : step;
}

/* Where no call frame information speaks of the code. Known code may have a rule nevertheless: it is put in *rule. */
CFIC_INLINE enum cfic_step cfic_walk_without_rule(
	void *reader, struct cfic_frame *frame, struct cfic_rule *rule, __u32 e_machine)
{
	switch (CFIC_KNOWN_CODE(reader, frame, e_machine)) {
	case CFIC_KNOWN_RESTORER:
		cfic_set_sigframe_rule(rule, e_machine);
		return cfic_walk_by_rule(reader, frame, rule, e_machine);
	case CFIC_KNOWN_THREAD_START:
		return CFIC_STEP_END_OF_STACK;
	case CFIC_KNOWN_LEAF: /* of x86-64 only */
		cfic_x86_64_set_leaf_rule(rule);
		return cfic_walk_by_rule(reader, frame, rule, e_machine);
	default:
		return CFIC_GUESS(reader, frame, e_machine);
	}
}

/*
 * Whether a frame stands where one can that called another, or where a handler returns to. Code that can't be read
 * speaks against nothing.
 */
CFIC_INLINE int cfic_is_called_from(void *reader, const struct cfic_frame *frame, __u32 e_machine)
{
	__u64 pc = frame->machine.pc, target = 0;
	struct cfic_rule rule;
	enum cfic_step found;

	if (cfic_call_before(reader, pc, &target, e_machine) || cfic_known_code(reader, frame, e_machine))
		return 1;
	rule.kind = 0; /* compilers read it before they know that it was found */
	found = CFIC_FIND(reader, pc - 1, &rule, e_machine);
	return found == CFIC_STEP_CALLER && (rule.kind & CFIC_RULE_SIGNAL);
}

/*
 * How a step by a rule ended. What a guess led to may be anything, and rules lead on from there to anything else: as
 * soon as that shows, the walk ends.
 */
CFIC_INLINE enum cfic_step cfic_check_guess(
	void *reader, const struct cfic_frame *frame, enum cfic_step step, __u32 e_machine)
{
	if (step != CFIC_STEP_CALLER || !(frame->flags & CFIC_FRAME_GUESSED) || (frame->flags & CFIC_FRAME_EXACT_PC))
		return step;
	return CFIC_IS_CALLED_FROM(reader, frame, e_machine) ? CFIC_STEP_CALLER : CFIC_STEP_NO_CALL;
}

/* *rule is where the rule is put. */
CFIC_INLINE enum cfic_step cfic_walk_step(
	void *reader, struct cfic_frame *frame, struct cfic_rule *rule, __u32 e_machine)
{
	enum cfic_step found = CFIC_FIND(reader, cfic_lookup_pc(frame), rule, e_machine);

	if (found == CFIC_STEP_CALLER && cfic_is_usual(frame, rule, e_machine))
		return cfic_check_guess(reader, frame, cfic_unwind_usual(reader, frame, rule, e_machine), e_machine);
	/* Where a table has a reason, there is information: only what nothing is known of may be guessed. */
	if (CFIC_GUESSES(reader)
		&& (found == CFIC_STEP_NO_TABLE || (found == CFIC_STEP_CALLER && cfic_says_nothing(rule))))
		return cfic_walk_without_rule(reader, frame, rule, e_machine);
	if (found != CFIC_STEP_CALLER)
		return found;
	return cfic_check_guess(reader, frame, cfic_walk_by_rule(reader, frame, rule, e_machine), e_machine);
}

#endif

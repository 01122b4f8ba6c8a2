/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A step of a walk: finds the rule at a frame's pc and computes the caller. Besides the macros that program.h lists,
 * the including file must first define:
 *
 *   CFIC_FIND(reader, pc, rule, e_machine)   copies the rule at pc to *rule and returns CFIC_STEP_CALLER; else returns
 *                                            CFIC_STEP_NO_MAPPING or CFIC_STEP_NO_TABLE
 *   CFIC_GUESSES(reader)                     whether to guess the callers of code without call frame information
 *
 * and may define
 *
 *   CFIC_STACK_START(reader)                 the stack pointer when the process's program began; 0: unknown
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
 * Unusual rules, guesses, and functions that guesses use. A BPF program may define these first, so that they are
 * separate functions.
 */
#ifndef CFIC_UNWIND
#define CFIC_UNWIND(reader, frame, rule, e_machine) cfic_unwind_unusual((reader), (frame), (rule), (e_machine))
#define CFIC_GUESS(reader, frame, e_machine) cfic_guess((reader), (frame), (e_machine))
#define CFIC_KNOWN_CODE(reader, frame, e_machine) cfic_known_code((reader), (frame), (e_machine))
#define CFIC_IS_CALLED_FROM(reader, frame, e_machine) cfic_is_called_from((reader), (frame), (e_machine))
#endif

/* Not the end of a step: the rule reads a stack pointer that is unknown after a guess, so the step is guessed, too. */
#define CFIC_STEP_GUESS CFIC_STEP_COUNT

/* cfic_unwind by any rule; CFIC_STEP_GUESS if it reads an unknown stack pointer. */
CFIC_INLINE enum cfic_step cfic_unwind_unusual(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	if (e_machine == CFIC_MACHINE_AARCH64 && (frame->flags & CFIC_FRAME_NO_STACK_POINTER)
		&& cfic_reads(reader, rule, CFIC_AARCH64_SP))
		return CFIC_STEP_GUESS;
	return cfic_unwind(reader, frame, rule, e_machine);
}

/* Guesses here and not in CFIC_UNWIND, so that the functions of BPF programs nest less deeply. */
CFIC_INLINE enum cfic_step cfic_walk_by_rule(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	enum cfic_step step = CFIC_UNWIND(reader, frame, rule, e_machine);

	/* Unused in BPF programs, which have them in a map. */
	(void)reader, (void)frame, (void)rule;
	return e_machine == CFIC_MACHINE_AARCH64 && step == CFIC_STEP_GUESS
		? CFIC_GUESS(reader, frame, e_machine) : step;
}

/* The step from code without call frame information. If the code is known, *rule becomes its rule. */
CFIC_INLINE enum cfic_step cfic_walk_without_rule(
	void *reader, struct cfic_frame *frame, struct cfic_rule *rule, __u32 e_machine)
{
	switch (CFIC_KNOWN_CODE(reader, frame, e_machine)) {
	case CFIC_KNOWN_RESTORER:
		cfic_set_sigframe_rule(rule, e_machine);
		return cfic_walk_by_rule(reader, frame, rule, e_machine);
	case CFIC_KNOWN_THREAD_START:
	case CFIC_KNOWN_PROGRAM_START:
		return CFIC_STEP_END_OF_STACK;
	case CFIC_KNOWN_LEAF: /* only on x86-64 */
		cfic_x86_64_set_leaf_rule(rule);
		return cfic_walk_by_rule(reader, frame, rule, e_machine);
	default:
		return CFIC_GUESS(reader, frame, e_machine);
	}
}

/*
 * Whether the frame's pc can be a return address: it follows a call, or handlers of signals return to it. True also if
 * the code can't be read.
 */
CFIC_INLINE int cfic_is_called_from(void *reader, const struct cfic_frame *frame, __u32 e_machine)
{
	__u64 pc = frame->machine.pc, target = 0;
	struct cfic_rule rule;
	enum cfic_step found;

	if (cfic_call_before(reader, pc, &target, e_machine) || cfic_known_code(reader, frame, e_machine))
		return 1;
	rule.kind = 0; /* only for compilers, which warn that it may be uninitialised */
	found = CFIC_FIND(reader, pc - 1, &rule, e_machine);
	return found == CFIC_STEP_CALLER && (rule.kind & CFIC_RULE_SIGNAL);
}

/*
 * Checks the result of a step by a rule. After a wrong guess, rules may compute any address; the walk ends as soon as
 * one can't be a return address.
 */
CFIC_INLINE enum cfic_step cfic_check_guess(
	void *reader, const struct cfic_frame *frame, enum cfic_step step, __u32 e_machine)
{
	if (step != CFIC_STEP_CALLER || !(frame->flags & CFIC_FRAME_GUESSED) || (frame->flags & CFIC_FRAME_EXACT_PC))
		return step;
	return CFIC_IS_CALLED_FROM(reader, frame, e_machine) ? CFIC_STEP_CALLER : CFIC_STEP_NO_CALL;
}

/* One step of a walk. Stores the rule that it used in *rule. */
CFIC_INLINE enum cfic_step cfic_walk_step(
	void *reader, struct cfic_frame *frame, struct cfic_rule *rule, __u32 e_machine)
{
	enum cfic_step found = CFIC_FIND(reader, cfic_lookup_pc(frame), rule, e_machine);

	if (found == CFIC_STEP_CALLER && cfic_is_usual(frame, rule, e_machine))
		return cfic_check_guess(reader, frame, cfic_unwind_usual(reader, frame, rule, e_machine), e_machine);
	/* Guess only if there is no information at all; a reason is information. */
	if (CFIC_GUESSES(reader)
		&& (found == CFIC_STEP_NO_TABLE || (found == CFIC_STEP_CALLER && cfic_says_nothing(rule))))
		return cfic_walk_without_rule(reader, frame, rule, e_machine);
	if (found != CFIC_STEP_CALLER)
		return found;
	return cfic_check_guess(reader, frame, cfic_walk_by_rule(reader, frame, rule, e_machine), e_machine);
}

#endif

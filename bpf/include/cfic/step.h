/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Computes a frame's caller by a rule. Compiled natively and for BPF. program.h lists the macros that must be defined
 * first. docs/table-format.md, "Unwinding a frame by its rule", has the same in prose.
 */
#ifndef CFIC_STEP_H
#define CFIC_STEP_H

#include "program.h"
#include "frame.h"
#include "sigframe.h"
#include "steps.h"

/* Runs a program. A BPF program may define it first, so that a function contains the only copy of cfic_evaluate. */
#ifndef CFIC_EVALUATE
#define CFIC_EVALUATE(reader, machine, index) cfic_evaluate((reader), (machine), (index))
#endif

CFIC_INLINE enum cfic_step cfic_failed(enum cfic_evaluation evaluation, enum cfic_step unreadable)
{
	return evaluation == CFIC_EVALUATION_DIVISION_BY_ZERO ? CFIC_STEP_DIVISION_BY_ZERO : unreadable;
}

/* Finds a caller's register. `where` is cfic_rule.fp or .ra, not of kind UNDEFINED; `same` is the callee's value. */
CFIC_INLINE enum cfic_evaluation cfic_value(
	void *reader, struct cfic_machine *machine, __u32 where, __s32 offset, __u64 same, __u64 *value)
{
	__u32 kind = where >> CFIC_VALUE_SHIFT;
	__u64 address = (__u64)(__s64)offset;
	enum cfic_evaluation evaluation;

	switch (kind) {
	case CFIC_VALUE_SAME:
		*value = same;
		return CFIC_EVALUATION_DONE;
	case CFIC_VALUE_AT_CFA:
	case CFIC_VALUE_CFA:
		address += machine->cfa;
		break;
	case CFIC_VALUE_AT_REGISTER:
	case CFIC_VALUE_REGISTER:
		address += machine->registers[where & CFIC_REGISTER_MASK];
		break;
	default:
		evaluation = CFIC_EVALUATE(reader, machine, (__u32)offset);
		if (evaluation != CFIC_EVALUATION_DONE)
			return evaluation;
		address = machine->stack[(machine->depth - 1) & (CFIC_STACK_MAX - 1)];
	}
	if (kind == CFIC_VALUE_CFA || kind == CFIC_VALUE_REGISTER || kind == CFIC_VALUE_EXPRESSION) {
		*value = address;
		return CFIC_EVALUATION_DONE;
	}
	return CFIC_READ(reader, value, sizeof(*value), address) ? CFIC_EVALUATION_UNREADABLE : CFIC_EVALUATION_DONE;
}

/* Computes machine->cfa and the caller's stack pointer. */
CFIC_INLINE enum cfic_evaluation cfic_compute_cfa(
	void *reader, struct cfic_machine *machine, const struct cfic_rule *rule, __u64 *caller_sp)
{
	__u64 address = machine->registers[rule->cfa & CFIC_REGISTER_MASK] + (__u64)(__s64)rule->cfa_offset;
	enum cfic_evaluation evaluation;

	switch (rule->kind & CFIC_CFA_KIND_MASK) {
	case CFIC_CFA_REGISTER:
		machine->cfa = address;
		break;
	case CFIC_CFA_DEREF:
		if (CFIC_READ(reader, &machine->cfa, sizeof(machine->cfa), address))
			return CFIC_EVALUATION_UNREADABLE;
		machine->cfa += 8 * (__u64)(rule->cfa >> CFIC_VALUE_SHIFT);
		break;
	default: /* CFIC_CFA_EXPRESSION */
		evaluation = CFIC_EVALUATE(reader, machine, (__u32)rule->cfa_offset);
		if (evaluation != CFIC_EVALUATION_DONE)
			return evaluation;
		machine->cfa = machine->stack[(machine->depth - 1) & (CFIC_STACK_MAX - 1)];
	}
	*caller_sp = machine->cfa;
	if (rule->kind & CFIC_RULE_SP_ON_STACK)
		*caller_sp = machine->stack[(machine->depth - 2) & (CFIC_STACK_MAX - 1)];
	return CFIC_EVALUATION_DONE;
}

/* Whether a rule itself reads the register. cfic_program_reads is for its programs. */
CFIC_INLINE int cfic_rule_reads(const struct cfic_rule *rule, __u32 number)
{
	__u32 cfa = rule->kind & CFIC_CFA_KIND_MASK;
	__u32 fp = rule->fp >> CFIC_VALUE_SHIFT, ra = rule->ra >> CFIC_VALUE_SHIFT;

	return ((cfa == CFIC_CFA_REGISTER || cfa == CFIC_CFA_DEREF) && (rule->cfa & CFIC_REGISTER_MASK) == number)
		|| ((fp == CFIC_VALUE_AT_REGISTER || fp == CFIC_VALUE_REGISTER) && (rule->fp & CFIC_REGISTER_MASK) == number)
		|| ((ra == CFIC_VALUE_AT_REGISTER || ra == CFIC_VALUE_REGISTER) && (rule->ra & CFIC_REGISTER_MASK) == number);
}

CFIC_INLINE int cfic_program_reads(void *reader, __u32 index, __u32 number)
{
	for (__u32 step = 0; step <= CFIC_PROGRAM_MAX; step++) {
		const struct cfic_op *op = CFIC_OPERATION(reader, index + step);

		if (!op || op->op == CFIC_OP_END)
			return 0;
		if (op->op == CFIC_OP_REGISTER && op->reg == number)
			return 1;
	}
	return 0;
}

CFIC_INLINE int cfic_reads(void *reader, const struct cfic_rule *rule, __u32 number)
{
	__u32 fp = rule->fp >> CFIC_VALUE_SHIFT, ra = rule->ra >> CFIC_VALUE_SHIFT;

	if (cfic_rule_reads(rule, number))
		return 1;
	if ((rule->kind & CFIC_CFA_KIND_MASK) == CFIC_CFA_EXPRESSION
		&& cfic_program_reads(reader, (__u32)rule->cfa_offset, number))
		return 1;
	if ((fp == CFIC_VALUE_EXPRESSION || fp == CFIC_VALUE_AT_EXPRESSION)
		&& cfic_program_reads(reader, (__u32)rule->fp_offset, number))
		return 1;
	return (ra == CFIC_VALUE_EXPRESSION || ra == CFIC_VALUE_AT_EXPRESSION)
		&& cfic_program_reads(reader, (__u32)rule->ra_offset, number);
}

CFIC_INLINE __u32 cfic_sp_of(__u32 e_machine)
{
	return e_machine == CFIC_MACHINE_AARCH64 ? CFIC_AARCH64_SP : CFIC_X86_64_SP;
}

CFIC_INLINE __u32 cfic_fp_of(__u32 e_machine)
{
	return e_machine == CFIC_MACHINE_AARCH64 ? CFIC_AARCH64_FP : CFIC_X86_64_FP;
}

/* Checks a computed caller: a zero return address ends the stack, and an unchanged frame would loop forever. */
CFIC_INLINE enum cfic_step cfic_check_caller(const struct cfic_frame *frame, __u64 pc, __u64 sp, __u32 e_machine)
{
	if (pc == 0)
		return CFIC_STEP_ZERO_RETURN_ADDRESS;
	if (pc == frame->machine.pc && sp == frame->machine.registers[cfic_sp_of(e_machine)])
		return CFIC_STEP_NO_PROGRESS;
	return CFIC_STEP_CALLER;
}

/*
 * Replaces the frame with its caller's. `rule` is the rule at cfic_lookup_pc. Unless the result is CFIC_STEP_CALLER,
 * only the CFA and the stack of programs may have changed.
 *
 * e_machine is CFIC_MACHINE_X86_64 or CFIC_MACHINE_AARCH64, and a constant in BPF programs.
 */
CFIC_INLINE enum cfic_step cfic_unwind(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	__u32 sp = cfic_sp_of(e_machine), fp = cfic_fp_of(e_machine);
	struct cfic_machine *machine = &frame->machine;
	__u32 kind = rule->kind & CFIC_CFA_KIND_MASK;
	__u64 caller_sp = 0, caller_fp = 0, caller_pc = 0;
	enum cfic_evaluation evaluation;
	enum cfic_step step;
	__u32 flags = (frame->flags & CFIC_FRAME_MARKS) | (rule->kind & CFIC_RULE_INFERRED);

	if (kind == CFIC_CFA_NONE)
		return CFIC_STEP_NO_RULE;
	if (kind == CFIC_CFA_END)
		return CFIC_STEP_END_OF_STACK;
	if ((rule->kind & CFIC_RULE_LIVE_REGISTERS) && !(frame->flags & CFIC_FRAME_ALL_REGISTERS))
		return CFIC_STEP_NO_REGISTERS;
	if ((frame->flags & CFIC_FRAME_NO_FRAME_POINTER) && cfic_reads(reader, rule, fp))
		return CFIC_STEP_NO_FRAME_POINTER;

	evaluation = cfic_compute_cfa(reader, machine, rule, &caller_sp);
	if (evaluation != CFIC_EVALUATION_DONE)
		return cfic_failed(evaluation, CFIC_STEP_UNREADABLE_CFA);
	evaluation = cfic_value(reader, machine, rule->ra, rule->ra_offset, 0, &caller_pc);
	if (evaluation != CFIC_EVALUATION_DONE)
		return cfic_failed(evaluation, CFIC_STEP_UNREADABLE_RETURN_ADDRESS);
	if (rule->fp >> CFIC_VALUE_SHIFT == CFIC_VALUE_UNDEFINED) {
		flags |= CFIC_FRAME_NO_FRAME_POINTER;
	} else {
		evaluation = cfic_value(
			reader, machine, rule->fp, rule->fp_offset, machine->registers[fp], &caller_fp);
		if (evaluation != CFIC_EVALUATION_DONE)
			return cfic_failed(evaluation, CFIC_STEP_UNREADABLE_FRAME_POINTER);
		if (rule->fp >> CFIC_VALUE_SHIFT == CFIC_VALUE_SAME)
			flags |= frame->flags & CFIC_FRAME_NO_FRAME_POINTER;
	}

	if (rule->kind & CFIC_RULE_RA_SIGNED)
		caller_pc &= frame->address_bits;
	step = cfic_check_caller(frame, caller_pc, caller_sp, e_machine);
	if (step != CFIC_STEP_CALLER)
		return step;
	if (rule->kind & CFIC_RULE_SIGNAL) {
		flags |= CFIC_FRAME_EXACT_PC | CFIC_FRAME_INTERRUPTED;
		if (cfic_read_interrupted(reader, machine, rule, e_machine) == 0)
			flags |= CFIC_FRAME_ALL_REGISTERS;
	}
	machine->registers[sp] = caller_sp;
	machine->registers[fp] = caller_fp;
	machine->pc = caller_pc;
	frame->flags = flags;
	return CFIC_STEP_CALLER;
}

/*
 * Whether a rule is a usual one: CFA from stack or frame pointer, return address on the stack, frame pointer on the
 * stack or unchanged. 95 % of real code's rows have usual rules.
 */
CFIC_INLINE int cfic_is_usual(const struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	const __u32 ignored = CFIC_RULE_INFERRED | (e_machine == CFIC_MACHINE_AARCH64 ? CFIC_RULE_RA_SIGNED : 0);
	__u32 kind = rule->kind & ~ignored;

	return kind == CFIC_CFA_REGISTER && (rule->cfa == cfic_sp_of(e_machine) || rule->cfa == cfic_fp_of(e_machine))
		&& rule->ra >> CFIC_VALUE_SHIFT == CFIC_VALUE_AT_CFA && rule->fp >> CFIC_VALUE_SHIFT <= CFIC_VALUE_AT_CFA
		&& !(frame->flags & (CFIC_FRAME_NO_FRAME_POINTER | CFIC_FRAME_NO_STACK_POINTER));
}

/* cfic_unwind for usual rules, without the checks that these don't need. */
CFIC_INLINE enum cfic_step cfic_unwind_usual(
	void *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 e_machine)
{
	__u32 sp = cfic_sp_of(e_machine), fp = cfic_fp_of(e_machine);
	struct cfic_machine *machine = &frame->machine;
	__u64 caller_fp = machine->registers[fp], caller_pc = 0, cfa;
	enum cfic_step step;

	cfa = rule->cfa == fp ? caller_fp : machine->registers[sp];
	cfa += (__u64)(__s64)rule->cfa_offset;
	machine->cfa = cfa;
	if (CFIC_READ(reader, &caller_pc, sizeof(caller_pc), cfa + (__u64)(__s64)rule->ra_offset))
		return CFIC_STEP_UNREADABLE_RETURN_ADDRESS;
	if (rule->fp >> CFIC_VALUE_SHIFT == CFIC_VALUE_AT_CFA
		&& CFIC_READ(reader, &caller_fp, sizeof(caller_fp), cfa + (__u64)(__s64)rule->fp_offset))
		return CFIC_STEP_UNREADABLE_FRAME_POINTER;
	if (e_machine == CFIC_MACHINE_AARCH64 && (rule->kind & CFIC_RULE_RA_SIGNED))
		caller_pc &= frame->address_bits;
	step = cfic_check_caller(frame, caller_pc, cfa, e_machine);
	if (step != CFIC_STEP_CALLER)
		return step;
	machine->registers[sp] = cfa;
	machine->registers[fp] = caller_fp;
	machine->pc = caller_pc;
	frame->flags = (frame->flags & CFIC_FRAME_MARKS) | (rule->kind & CFIC_RULE_INFERRED);
	return CFIC_STEP_CALLER;
}

#endif

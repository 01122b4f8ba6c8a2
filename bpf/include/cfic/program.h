/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Evaluates a rule's program. Compiled natively and for BPF.
 *
 * The including file must first define:
 *
 *   CFIC_READ(reader, to, size, address)   reads memory that is unwound; 0 on success, like bpf_probe_read_user
 *   CFIC_OPERATION(reader, index)          a const struct cfic_op *; null if there is none
 *
 * `reader` is a pointer that is only passed through. Nothing here checks what `cfic verify` proves about a program, but
 * the masks keep even an unproved program within its memory.
 */
#ifndef CFIC_PROGRAM_H
#define CFIC_PROGRAM_H

#include "inline.h"
#include "machine.h"

#if !defined(CFIC_READ) || !defined(CFIC_OPERATION)
#error "define CFIC_READ and CFIC_OPERATION first, as the head of this file says"
#endif

enum cfic_evaluation {
	CFIC_EVALUATION_DONE = 0,
	CFIC_EVALUATION_UNREADABLE = 1,
	CFIC_EVALUATION_DIVISION_BY_ZERO = 2,
};

/* Signed left / right, wrapping; right is not 0. */
CFIC_INLINE __u64 cfic_quotient(__u64 left, __u64 right)
{
	/* Divides magnitudes, because BPF has only unsigned division and -2^63 / -1 overflows. */
	__u64 dividend = (__s64)left < 0 ? 0 - left : left;
	__u64 divisor = (__s64)right < 0 ? 0 - right : right;
	__u64 quotient = dividend / divisor;

	return (__s64)(left ^ right) < 0 ? 0 - quotient : quotient;
}

/* The result of an operation with two operands. The right operand of DIV and MOD is not 0. */
CFIC_INLINE __u64 cfic_operate(__u32 op, __u64 left, __u64 right)
{
	switch (op) {
	case CFIC_OP_ADD: return left + right;
	case CFIC_OP_SUB: return left - right;
	case CFIC_OP_MUL: return left * right;
	case CFIC_OP_DIV: return cfic_quotient(left, right);
	case CFIC_OP_MOD: return left % right;
	case CFIC_OP_AND: return left & right;
	case CFIC_OP_OR: return left | right;
	case CFIC_OP_XOR: return left ^ right;
	case CFIC_OP_SHL: return right < 64 ? left << right : 0;
	case CFIC_OP_SHR: return right < 64 ? left >> right : 0;
	case CFIC_OP_SAR: return (__u64)((__s64)left >> (right < 64 ? right : 63));
	case CFIC_OP_EQ: return left == right;
	case CFIC_OP_NE: return left != right;
	case CFIC_OP_LT: return (__s64)left < (__s64)right;
	case CFIC_OP_LE: return (__s64)left <= (__s64)right;
	case CFIC_OP_GT: return (__s64)left > (__s64)right;
	default: return (__s64)left >= (__s64)right; /* CFIC_OP_GE */
	}
}

/*
 * Runs the program at `index`. Its result is then stack[depth - 1]; for CFIC_RULE_SP_ON_STACK, the caller's SP is at
 * stack[depth - 2].
 */
CFIC_INLINE enum cfic_evaluation cfic_evaluate(void *reader, struct cfic_machine *machine, __u32 index)
{
	__u64 *stack = machine->stack;

	machine->depth = 0;
	/* A proved program ends before the bound. */
	for (__u32 step = 0; step <= CFIC_PROGRAM_MAX; step++) {
		const struct cfic_op *op = CFIC_OPERATION(reader, index + step);
		__u64 imm, value;
		/*
		 * The number of entries: 0 to CFIC_STACK_MAX in a proved program, which never pops from an empty stack.
		 * Kept in memory, so that the kernel's verifier does not check each operation with each depth.
		 */
		__u32 top = machine->depth;
		__u32 last = (top - 1) & (CFIC_STACK_MAX - 1);

		if (!op || op->op == CFIC_OP_END)
			break;
		imm = (__u64)(__s64)op->imm;
		switch (op->op) {
		case CFIC_OP_REGISTER:
			stack[top++ & (CFIC_STACK_MAX - 1)] = machine->registers[op->reg & CFIC_REGISTER_MASK] + imm;
			break;
		case CFIC_OP_PC:
			stack[top++ & (CFIC_STACK_MAX - 1)] = machine->pc + imm;
			break;
		case CFIC_OP_CFA:
			stack[top++ & (CFIC_STACK_MAX - 1)] = machine->cfa + imm;
			break;
		case CFIC_OP_CONST:
			stack[top++ & (CFIC_STACK_MAX - 1)] = imm;
			break;
		case CFIC_OP_LOAD:
			/* The bytes read are the low ones, because both machines are little-endian. */
			value = 0;
			if (CFIC_READ(reader, &value, op->reg > 8 ? 8 : op->reg, stack[last] + imm))
				return CFIC_EVALUATION_UNREADABLE;
			stack[last] = value;
			break;
		case CFIC_OP_DUP:
			value = stack[(top - 1 - (__u32)op->imm) & (CFIC_STACK_MAX - 1)];
			stack[top++ & (CFIC_STACK_MAX - 1)] = value;
			break;
		case CFIC_OP_DROP:
			top--;
			break;
		case CFIC_OP_SWAP:
			value = stack[last];
			stack[last] = stack[(top - 2) & (CFIC_STACK_MAX - 1)];
			stack[(top - 2) & (CFIC_STACK_MAX - 1)] = value;
			break;
		case CFIC_OP_ROT:
			value = stack[last];
			stack[last] = stack[(top - 2) & (CFIC_STACK_MAX - 1)];
			stack[(top - 2) & (CFIC_STACK_MAX - 1)] = stack[(top - 3) & (CFIC_STACK_MAX - 1)];
			stack[(top - 3) & (CFIC_STACK_MAX - 1)] = value;
			break;
		case CFIC_OP_NEG:
			stack[last] = 0 - stack[last];
			break;
		case CFIC_OP_NOT:
			stack[last] = ~stack[last];
			break;
		case CFIC_OP_ABS:
			if ((__s64)stack[last] < 0)
				stack[last] = 0 - stack[last];
			break;
		default:
			value = imm;
			if (op->reg == CFIC_OPERAND_STACK) {
				value = stack[last];
				top--;
				last = (top - 1) & (CFIC_STACK_MAX - 1);
			}
			if (value == 0 && (op->op == CFIC_OP_DIV || op->op == CFIC_OP_MOD))
				return CFIC_EVALUATION_DIVISION_BY_ZERO;
			stack[last] = cfic_operate(op->op, stack[last], value);
		}
		machine->depth = top;
	}
	return CFIC_EVALUATION_DONE;
}

#endif

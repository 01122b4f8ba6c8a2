/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A rule: how to compute the CFA, the caller's frame pointer and the return address from the callee's registers.
 * docs/table-format.md has the same in prose.
 */
#ifndef CFIC_RULE_H
#define CFIC_RULE_H

#include <linux/types.h>

#include "reasons.h"
#include "static_assert.h"

/* How the CFA is computed: low three bits of cfic_rule.kind. */
enum cfic_cfa_kind {
	CFIC_CFA_NONE = 0,       /* no rule; cfa_offset is an enum cfic_reason                  */
	CFIC_CFA_END = 1,        /* the return address is undefined: the outermost frame        */
	CFIC_CFA_REGISTER = 2,   /* CFA = reg + cfa_offset                                      */
	CFIC_CFA_DEREF = 3,      /* CFA = *(reg + cfa_offset) + 8 * addend                      */
	CFIC_CFA_EXPRESSION = 4, /* CFA = program at expression index cfa_offset                */
	CFIC_CFA_KIND_COUNT
};
#define CFIC_CFA_KIND_MASK 0x07

/* Flags: high five bits of cfic_rule.kind. */
#define CFIC_RULE_SIGNAL 0x08         /* signal frame: the caller's pc is exact, not a return address         */
#define CFIC_RULE_RA_SIGNED 0x10      /* the return address has a pointer authentication code                 */
#define CFIC_RULE_LIVE_REGISTERS 0x20 /* reads registers known only in innermost and interrupted frames       */
#define CFIC_RULE_SP_ON_STACK 0x40    /* the CFA's program leaves the caller's SP below the CFA; else SP = CFA */
#define CFIC_RULE_INFERRED 0x80       /* made from instructions; no call frame information covers the code    */

/* Where a caller's register is: high three bits of cfic_rule.fp and cfic_rule.ra. */
enum cfic_value_kind {
	CFIC_VALUE_SAME = 0,        /* unchanged                                                */
	CFIC_VALUE_AT_CFA = 1,      /* *(CFA + offset)                                          */
	CFIC_VALUE_AT_REGISTER = 2, /* *(reg + offset)                                          */
	CFIC_VALUE_REGISTER = 3,    /* reg + offset                                             */
	CFIC_VALUE_CFA = 4,         /* CFA + offset                                             */
	CFIC_VALUE_EXPRESSION = 5,  /* program at expression index offset                       */
	CFIC_VALUE_AT_EXPRESSION = 6, /* *(program at expression index offset)                  */
	CFIC_VALUE_UNDEFINED = 7,   /* not recoverable                                          */
	CFIC_VALUE_KIND_COUNT
};

/*
 * Registers are the DWARF numbers of the machine: x86-64 0..15, aarch64 0..30 and 31 for SP.
 */
struct cfic_rule {
	__u8 kind;        /* enum cfic_cfa_kind | CFIC_RULE_* flags                             */
	__u8 cfa;         /* bits 0-4: register; bits 5-7: addend / 8 of CFIC_CFA_DEREF         */
	__u8 fp;          /* bits 0-4: register; bits 5-7: enum cfic_value_kind                 */
	__u8 ra;          /* bits 0-4: register; bits 5-7: enum cfic_value_kind                 */
	__s32 cfa_offset;
	__s16 fp_offset; /* wider offsets need a program                                        */
	__s16 ra_offset;
};

/*
 * How a table stores a rule. Most rules have the form that `ra`, `fp` and `cfa` describe; the others are in the table's
 * list of long rules. Zero is rule 0, "no information".
 */
struct cfic_short_rule {
	__u8 ra;   /* n: at CFA - 8n; CFIC_SHORT_RA_LINK: the link register. CFIC_SHORT_LONG: low byte of the index */
	__u8 fp;   /* 0: unchanged; n: at CFA - 8n. CFIC_SHORT_LONG: high byte of the index */
	__u16 cfa; /* bits 0-11: (CFA - register) / 8; flags: CFIC_SHORT_* */
};

#define CFIC_SHORT_RA_LINK 255
#define CFIC_SHORT_CFA_MASK 0x0fff
#define CFIC_SHORT_CFA_FP 0x1000    /* the CFA's register is the frame pointer, not the stack pointer          */
#define CFIC_SHORT_RA_SIGNED 0x2000 /* CFIC_RULE_RA_SIGNED */
#define CFIC_SHORT_INFERRED 0x4000  /* CFIC_RULE_INFERRED */
#define CFIC_SHORT_LONG 0x8000      /* a long rule, whose index is ra | fp << 8; the other bits are zero       */

#define CFIC_REGISTER_MASK 0x1f
#define CFIC_VALUE_SHIFT 5

/*
 * An expression is a postfix program with wrapping 64-bit arithmetic: at most CFIC_PROGRAM_MAX operations, not counting
 * CFIC_OP_END, and at most CFIC_STACK_MAX stack entries. A rule refers to a program by the index of its first
 * operation. Comparisons, CFIC_OP_SAR, _DIV and _MOD follow DWARF 5 section 2.5.1.4: comparisons and DIV are signed,
 * MOD and SHR unsigned; a shift by 64 or more gives 0 (SAR: the sign).
 */
enum cfic_operation {
	CFIC_OP_END = 0,      /* the program's result is on top of the stack                    */
	CFIC_OP_REGISTER = 1, /* push reg + imm                                                 */
	CFIC_OP_PC = 2,       /* push pc + imm                                                  */
	CFIC_OP_CFA = 3,      /* push CFA + imm                                                 */
	CFIC_OP_CONST = 4,    /* push imm, sign-extended                                        */
	CFIC_OP_LOAD = 5,     /* top = *(top + imm); reg = bytes to read: 1, 2, 4 or 8, zero-extended */
	CFIC_OP_DUP = 6,      /* push the entry imm below the top                               */
	CFIC_OP_DROP = 7,
	CFIC_OP_SWAP = 8,
	CFIC_OP_ROT = 9,      /* a b c -> c a b, where c is the top                             */
	CFIC_OP_NEG = 10,
	CFIC_OP_NOT = 11,
	CFIC_OP_ABS = 12,
	/* Two operands. The right one is the top of the stack, or imm if reg is CFIC_OPERAND_IMMEDIATE. */
	CFIC_OP_ADD = 13,
	CFIC_OP_SUB = 14,
	CFIC_OP_MUL = 15,
	CFIC_OP_DIV = 16,     /* division by zero ends the evaluation                           */
	CFIC_OP_MOD = 17,
	CFIC_OP_AND = 18,
	CFIC_OP_OR = 19,
	CFIC_OP_XOR = 20,
	CFIC_OP_SHL = 21,
	CFIC_OP_SHR = 22,
	CFIC_OP_SAR = 23,
	CFIC_OP_EQ = 24,
	CFIC_OP_NE = 25,
	CFIC_OP_LT = 26,
	CFIC_OP_LE = 27,
	CFIC_OP_GT = 28,
	CFIC_OP_GE = 29,
	CFIC_OP_COUNT
};
#define CFIC_OPERAND_STACK 0
#define CFIC_OPERAND_IMMEDIATE 1
#define CFIC_PROGRAM_MAX 16
#define CFIC_EXPRESSIONS_MAX 32768 /* operations of a table, so that an index fits 16 signed bits */
#define CFIC_STACK_MAX 8

struct cfic_op {
	__u8 op;  /* enum cfic_operation                                                        */
	__u8 reg; /* register, CFIC_OPERAND_*, or the size of a LOAD                            */
	__u16 reserved;
	__s32 imm;
};

CFIC_STATIC_ASSERT(sizeof(struct cfic_rule) == 12, "a rule is 12 bytes");
CFIC_STATIC_ASSERT(sizeof(struct cfic_short_rule) == 4, "a short rule is 4 bytes");
CFIC_STATIC_ASSERT(sizeof(struct cfic_op) == 8, "an operation is 8 bytes");
CFIC_STATIC_ASSERT(CFIC_CFA_KIND_COUNT - 1 <= CFIC_CFA_KIND_MASK, "CFA kinds fit three bits");
CFIC_STATIC_ASSERT(CFIC_VALUE_KIND_COUNT <= 8, "value kinds fit three bits");

#endif

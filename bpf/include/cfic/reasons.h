/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a row has no rule. This is the only list of reasons: the compiler, BPF programs, metrics and documentation use
 * it. Codes are part of the table format; new ones are added at the end.
 *
 * X(code, NAME, "text for people")
 */
#ifndef CFIC_REASONS_H
#define CFIC_REASONS_H

#define CFIC_REASONS(X)                                                                                      \
	X(0, NO_INFORMATION, "no FDE covers the address")                                                    \
	X(1, BAD_CIE, "the FDE's CIE is malformed or of an unknown kind")                                    \
	X(2, BAD_FDE, "the FDE is malformed")                                                                \
	X(3, UNKNOWN_INSTRUCTION, "unknown CFA instruction: the rest of the FDE can't be decoded")           \
	X(4, BAD_INSTRUCTION, "a CFA instruction is invalid in its context")                                 \
	X(5, REMEMBER_TOO_DEEP, "remembered states are nested too deeply")                                   \
	X(6, NO_CFA, "no instruction defined the CFA")                                                       \
	X(7, REGISTER, "a rule needs a register that a table does not describe")                             \
	X(8, OFFSET_TOO_WIDE, "an offset does not fit 32 bits")                                              \
	X(9, RETURN_ADDRESS_UNSPECIFIED, "no instruction specifies the return address")                      \
	X(10, EXPRESSION_OPERATION, "an expression uses an operation that a bounded program can't contain")  \
	X(11, EXPRESSION_TOO_LONG, "an expression needs more than 16 operations or 8 stack entries")         \
	X(12, EXPRESSION_MALFORMED, "an expression is truncated or leaves no value")                         \
	X(13, VECTOR_LENGTH, "an expression is scaled by the vector length (VG)")                            \
	X(14, MISALIGNED_ADDRESS, "a row's address is not a multiple of the instruction size")               \
	X(15, TOO_MANY_RULES, "the file has more than 65,536 distinct rules")                                \
	X(16, SIGNING_STATE, "the return address is signed in a way that can't be stripped")                 \
	X(17, STACK_POINTER, "the caller's stack pointer has a rule that a table can't hold")

enum cfic_reason {
#define CFIC_REASON(code, name, text) CFIC_REASON_##name = code,
	CFIC_REASONS(CFIC_REASON)
#undef CFIC_REASON
	CFIC_REASON_COUNT
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a step from a frame to its caller, or a walk, can end. This is the only list: BPF programs, counters, metrics and
 * documentation use it. New ends are added last.
 *
 * X(code, NAME, "text for people")
 */
#ifndef CFIC_STEPS_H
#define CFIC_STEPS_H

#include "inline.h"

#define CFIC_STEPS(X)                                                                                        \
	X(0, CALLER, "the caller's frame is known")                                                          \
	X(1, END_OF_STACK, "the rules say that this is the outermost frame")                                 \
	X(2, ZERO_RETURN_ADDRESS, "the return address is 0: this is the outermost frame")                    \
	X(3, NO_RULE, "the table has a reason instead of a rule")                                            \
	X(4, NO_REGISTERS, "the rule reads registers that only an innermost or interrupted frame has")       \
	X(5, NO_FRAME_POINTER, "the rule reads the frame pointer, which the callee did not save")            \
	X(6, UNREADABLE_CFA, "memory that the CFA is computed from can't be read")                           \
	X(7, UNREADABLE_RETURN_ADDRESS, "the return address can't be read")                                  \
	X(8, UNREADABLE_FRAME_POINTER, "the caller's frame pointer can't be read")                           \
	X(9, DIVISION_BY_ZERO, "a program of the rule divides by zero")                                      \
	X(10, NO_PROGRESS, "the caller would be the same frame again")                                       \
	X(11, NO_MAPPING, "no file is mapped at the frame's address")                                        \
	X(12, NO_TABLE, "the file mapped there has no table")                                                \
	X(13, TOO_DEEP, "the stack has more frames than a walk follows")                                     \
	X(14, BAD_FRAME_POINTER, "the code has no rules, and its frame pointer doesn't lead to a call to it") \
	X(15, NO_PROCESS, "the process's mappings are not known yet")                                        \
	X(16, NO_USER_REGISTERS, "the thread's user registers, saved on kernel entry, can't be read")        \
	X(17, OTHER_MACHINE, "the thread runs code of another machine, such as 32-bit code")                 \
	X(18, END_OF_CHAIN, "the code has no rules, and its frame pointer is 0, which ends the chain")       \
	X(19, NO_CALL, "a guess was wrong: no call precedes the address it led to")                          \
	X(20, KERNEL_THREAD, "a kernel thread, which runs no user code")                                     \
	X(21, TABLE_PENDING, "the table of the file mapped there is still being made")                       \
	X(22, TABLE_EVICTED, "the table of the file mapped there was given up for others, which are used more") \
	X(23, NO_USER_CODE, "the thread is ending, or begins another program, and has no user code to return to")

enum cfic_step {
#define CFIC_STEP(code, name, text) CFIC_STEP_##name = code,
	CFIC_STEPS(CFIC_STEP)
#undef CFIC_STEP
	CFIC_STEP_COUNT
};

/*
 * The three outcomes of a walk: complete (the outermost frame was reached by rules only), guessed (it was reached, but
 * not by rules only), truncated (it was not reached). `guessed_count` is the number of frames marked as guessed.
 */
CFIC_INLINE int cfic_is_outermost(unsigned int step)
{
	return step == CFIC_STEP_END_OF_STACK || step == CFIC_STEP_ZERO_RETURN_ADDRESS
		|| step == CFIC_STEP_END_OF_CHAIN || step == CFIC_STEP_KERNEL_THREAD || step == CFIC_STEP_NO_USER_CODE;
}

CFIC_INLINE int cfic_is_complete(unsigned int step, unsigned int guessed_count)
{
	return cfic_is_outermost(step) && step != CFIC_STEP_END_OF_CHAIN && guessed_count == 0;
}

#endif

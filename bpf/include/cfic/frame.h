/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of a walk: the frame that it has reached. */
#ifndef CFIC_FRAME_H
#define CFIC_FRAME_H

#include "inline.h"
#include "machine.h"
#include "rule.h"

/* The most frames of a walk, including the innermost one. It bounds the time for a stack that loops. */
#define CFIC_FRAMES_MAX 1024

/*
 * For guesses: the largest size of a function in bytes. A direct call's target is at most this far before the frame's
 * pc.
 */
#define CFIC_FUNCTION_MAX (1u << 20)
/*
 * For guesses: code less than this many bytes after a call's target belongs to the same function, even if call frame
 * information ends in between, as in clone3.
 */
#define CFIC_FUNCTION_NEAR 64

/* cfic_frame.flags */
#define CFIC_FRAME_ALL_REGISTERS 0x1    /* all registers are known, not only SP and FP                              */
#define CFIC_FRAME_EXACT_PC 0x2         /* pc is the current instruction, not a return address                      */
#define CFIC_FRAME_NO_FRAME_POINTER 0x4 /* the frame pointer is not known                                           */
#define CFIC_FRAME_GUESSED 0x8          /* this frame, or a callee that led to it, is a guess                        */
#define CFIC_FRAME_NO_STACK_POINTER 0x10 /* the stack pointer is not known; registers[SP] is a lower bound          */
#define CFIC_FRAME_UNCHECKED 0x20       /* guessed, and the code that would confirm it could not be read            */
#define CFIC_FRAME_INTERRUPTED 0x40     /* a signal interrupted it: its callee is a signal frame                    */
#define CFIC_FRAME_INFERRED CFIC_RULE_INFERRED /* the rule that led to it, its callee's, is inferred                 */
/* Flags that a caller inherits. */
#define CFIC_FRAME_MARKS (CFIC_FRAME_GUESSED | CFIC_FRAME_UNCHECKED)

/*
 * The innermost frame has the first two flags. A frame that a signal interrupted has an exact pc and, if the kernel's
 * signal frame could be read, all registers.
 */
struct cfic_frame {
	struct cfic_machine machine;
	__u64 address_bits; /* mask for the address in a signed return address; all ones if none is signed          */
	__u32 flags;
	__u32 reserved;
};

/*
 * The address to look up the frame's rule at. For a return address that is 1 less: the call may be the last instruction
 * of its function.
 */
CFIC_INLINE __u64 cfic_lookup_pc(const struct cfic_frame *frame)
{
	return frame->flags & CFIC_FRAME_EXACT_PC ? frame->machine.pc : frame->machine.pc - 1;
}

#endif

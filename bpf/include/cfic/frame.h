/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A frame on its way from the innermost one to the outermost. */
#ifndef CFIC_FRAME_H
#define CFIC_FRAME_H

#include "inline.h"
#include "machine.h"

/* Frames of a walk, the innermost one among them: what a stack that loops costs at the most. */
#define CFIC_FRAMES_MAX 1024

/* Of guesses. A function's bytes from its first instruction on, at the most: a direct call leads no further back. */
#define CFIC_FUNCTION_MAX (1u << 20)
/* So near behind a call's target, code belongs to the same function even where information ends between: clone3. */
#define CFIC_FUNCTION_NEAR 64

/* cfic_frame.flags */
#define CFIC_FRAME_ALL_REGISTERS 0x1    /* all registers are known, not only stack and frame pointer                */
#define CFIC_FRAME_EXACT_PC 0x2         /* pc is where the frame stands, not where a call returns to                */
#define CFIC_FRAME_NO_FRAME_POINTER 0x4 /* the frame pointer is not known                                           */
#define CFIC_FRAME_GUESSED 0x8          /* a callee had no rule: this frame, or one it was found by, is a guess      */
#define CFIC_FRAME_NO_STACK_POINTER 0x10 /* the stack pointer is not known: it is at or above what stands for it    */
#define CFIC_FRAME_UNCHECKED 0x20       /* guessed, and the code that would speak for it could not be read          */
#define CFIC_FRAME_INTERRUPTED 0x40     /* its callee returns from a signal's handler                               */
/* What is said of a frame holds for all that are found by it. */
#define CFIC_FRAME_MARKS (CFIC_FRAME_GUESSED | CFIC_FRAME_UNCHECKED)

/*
 * The innermost frame has both of the first two. A frame that a signal interrupted has an exact pc; and all registers,
 * where the kernel's frame for the signal could be read.
 */
struct cfic_frame {
	struct cfic_machine machine;
	__u64 address_bits; /* bits of a signed return address that are the address; all where nothing is signed    */
	__u32 flags;
	__u32 reserved;
};

/* Where to look up the frame's rule. A call may be its function's last instruction, with another one behind it. */
CFIC_INLINE __u64 cfic_lookup_pc(const struct cfic_frame *frame)
{
	return frame->flags & CFIC_FRAME_EXACT_PC ? frame->machine.pc : frame->machine.pc - 1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A frame on its way from the innermost one to the outermost. */
#ifndef CFIC_FRAME_H
#define CFIC_FRAME_H

#include "inline.h"
#include "machine.h"

/* Frames of a walk, the innermost one among them: what a stack that loops costs at the most. */
#define CFIC_FRAMES_MAX 1024

/* cfic_frame.flags */
#define CFIC_FRAME_ALL_REGISTERS 0x1    /* all registers are known, not only stack and frame pointer                */
#define CFIC_FRAME_EXACT_PC 0x2         /* pc is where the frame stands, not where a call returns to                */
#define CFIC_FRAME_NO_FRAME_POINTER 0x4 /* the frame pointer is not known                                           */
#define CFIC_FRAME_GUESSED 0x8          /* its callee had no rule: found by the frame pointer, as compilers use to  */
#define CFIC_FRAME_NO_STACK_POINTER 0x10 /* the stack pointer is not known: it is at or above what stands for it    */

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

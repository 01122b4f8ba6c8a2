/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* aarch64: recognises calls before an address, and the targets of jumps (Arm ARM C6.2, BL, BLR, B, ADRP, LDR). */
#ifndef CFIC_AARCH64_CALL_H
#define CFIC_AARCH64_CALL_H

#include "../frame.h"

/* The target of B or BL: a signed 26-bit number of words, relative to the instruction. */
CFIC_INLINE __u64 cfic_aarch64_branch_target(__u64 address, __u32 instruction)
{
	return address + (__u64)(__s64)((__s32)(instruction << 6) >> 4);
}

/* The kind of call right before an address: CFIC_CALL_*; for a direct call, its target. */
CFIC_INLINE __u32 cfic_aarch64_call_before(void *reader, __u64 address, __u64 *target)
{
	__u32 instruction = 0;

	if (CFIC_READ(reader, &instruction, sizeof(instruction), address - 4))
		return CFIC_CALL_UNREADABLE;
	if ((instruction & 0xfc000000) == 0x94000000) { /* BL */
		*target = cfic_aarch64_branch_target(address - 4, instruction);
		return CFIC_CALL_DIRECT;
	}
	/* BLR; and BLRAA, BLRAAZ, BLRAB, BLRABZ. */
	if ((instruction & 0xfffffc1f) == 0xd63f0000 || (instruction & 0xfefff800) == 0xd63f0800)
		return CFIC_CALL_INDIRECT;
	return 0;
}

/*
 * Replaces *address with the target of the jump there: a stub of the procedure linkage table, or a direct jump to a
 * function. CFIC_JUMP_*.
 */
CFIC_INLINE enum cfic_jump cfic_aarch64_follow_jump(void *reader, __u64 *address)
{
	__u32 code[3] = {0, 0, 0};
	__u64 at = *address, slot;

	if (CFIC_READ(reader, code, sizeof(code), at))
		return CFIC_JUMP_UNREADABLE;
	if (code[0] == 0xd503245f) { /* BTI c */
		code[0] = code[1];
		code[1] = code[2];
		at += 4;
	}
	if ((code[0] & 0xfc000000) == 0x14000000) { /* B */
		*address = cfic_aarch64_branch_target(at, code[0]);
		return CFIC_JUMP_FOLLOWED;
	}
	/* ADRP x16, page; LDR x17, [x16, #offset]; a branch to x17 follows. */
	if ((code[0] & 0x9f00001f) != 0x90000010 || (code[1] & 0xffc003ff) != 0xf9400211)
		return CFIC_JUMP_NONE;
	/* ADRP's signed 21-bit page number: the upper 19 bits are at bit 5, the lower two at bit 29. */
	slot = (at & ~0xfffull) + (__u64)((__s64)((__u64)(code[0] >> 5 & 0x7ffff) << 45) >> 31)
		+ ((__u64)(code[0] >> 29 & 3) << 12) + (code[1] >> 10 & 0xfff) * 8;
	if (CFIC_READ(reader, &slot, sizeof(slot), slot))
		return CFIC_JUMP_UNREADABLE;
	*address = slot;
	return CFIC_JUMP_FOLLOWED;
}

#endif

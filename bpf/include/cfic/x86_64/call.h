/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* x86-64: recognises calls before an address, and the targets of jumps (Intel SDM volume 2, CALL and JMP). */
#ifndef CFIC_X86_64_CALL_H
#define CFIC_X86_64_CALL_H

#include "../frame.h"

/* Size of the longest call: opcode, ModRM, SIB and a 4-byte displacement. Prefixes precede it and don't matter. */
#define CFIC_X86_64_CALL_SIZE 7

/* Whether the `size` bytes before `end` are exactly `ff /2`, an indirect call, with its operand. */
CFIC_INLINE int cfic_x86_64_is_indirect(const __u8 *end, __u32 size)
{
	__u8 modrm = end[1 - (int)size];
	__u8 mod = modrm >> 6, rm = modrm & 7;
	__u32 expected = 2;

	if (end[-(int)size] != 0xff || (modrm >> 3 & 7) != 2)
		return 0;
	if (mod != 3 && rm == 4)
		expected = 3; /* with a SIB byte */
	if (mod == 1)
		expected += 1;
	else if (mod == 2 || (mod == 0 && rm == 5) || (mod == 0 && rm == 4 && (end[2 - (int)size] & 7) == 5))
		expected += 4;
	return size == expected;
}

/* The kinds of call that may end right before an address: CFIC_CALL_*; for a direct call, its target. */
CFIC_INLINE __u32 cfic_x86_64_call_before(void *reader, __u64 address, __u64 *target)
{
	__u8 code[8] = {0};
	const __u8 *end = code + CFIC_X86_64_CALL_SIZE;
	__u32 found = 0;

	if (CFIC_READ(reader, code, CFIC_X86_64_CALL_SIZE, address - CFIC_X86_64_CALL_SIZE))
		return CFIC_CALL_UNREADABLE;
	if (code[2] == 0xe8) {
		found = CFIC_CALL_DIRECT;
		*target = address + (__u64)(__s64)(__s32)(code[3] | (__u32)code[4] << 8 | (__u32)code[5] << 16
							  | (__u32)code[6] << 24);
	}
	/* A direct call's operand may end like an indirect call, and vice versa; then both are possible. */
	if (cfic_x86_64_is_indirect(end, 2) || cfic_x86_64_is_indirect(end, 3) || cfic_x86_64_is_indirect(end, 4)
		|| cfic_x86_64_is_indirect(end, 6) || cfic_x86_64_is_indirect(end, 7))
		found |= CFIC_CALL_INDIRECT;
	return found;
}

/*
 * Replaces *address with the target of the jump there: a stub of the procedure linkage table, or a direct jump to a
 * function. CFIC_JUMP_*.
 */
CFIC_INLINE enum cfic_jump cfic_x86_64_follow_jump(void *reader, __u64 *address)
{
	/* Numbers that are shifted, not an array with an index: kernels before 5.12 reject variable stack offsets. */
	__u64 code[2] = {0, 0}, at = *address, slot = 0;

	/* 11 bytes: ENDBR64, the BND prefix and the longest jump. */
	if (CFIC_READ(reader, code, 11, at))
		return CFIC_JUMP_UNREADABLE;
	if ((__u32)code[0] == 0xfa1e0ff3) {
		code[0] = code[0] >> 32 | code[1] << 32;
		at += 4;
	}
	if ((__u8)code[0] == 0xf2) {
		code[0] >>= 8;
		at += 1;
	}
	if ((__u8)code[0] == 0xe9) {
		*address = at + 5 + (__u64)(__s64)(__s32)(code[0] >> 8);
		return CFIC_JUMP_FOLLOWED;
	}
	if ((__u16)code[0] != 0x25ff)
		return CFIC_JUMP_NONE;
	if (CFIC_READ(reader, &slot, sizeof(slot), at + 6 + (__u64)(__s64)(__s32)(code[0] >> 16)))
		return CFIC_JUMP_UNREADABLE;
	*address = slot;
	return CFIC_JUMP_FOLLOWED;
}

#endif

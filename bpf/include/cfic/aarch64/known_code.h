/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* aarch64 code that is recognised by the system call that it makes. */
#ifndef CFIC_AARCH64_KNOWN_CODE_H
#define CFIC_AARCH64_KNOWN_CODE_H

#include "../frame.h"

#define CFIC_AARCH64_X8 8
#define CFIC_AARCH64_RT_SIGRETURN 0xd4000001d2801168 /* mov x8, #139; svc #0 */
#define CFIC_AARCH64_EXIT 0xd4000001d2800ba8         /* mov x8, #93; svc #0  */
#define CFIC_AARCH64_CLONE3 0xd4000001d2803668       /* mov x8, #435; svc #0 */

/* The two instructions at an address; 0 if they can't be read. */
CFIC_INLINE __u64 cfic_aarch64_instructions(void *reader, __u64 address)
{
	__u32 code[2] = {0, 0};

	if (CFIC_READ(reader, code, sizeof(code), address))
		return 0;
	return code[0] | (__u64)code[1] << 32;
}

CFIC_INLINE enum cfic_known_code cfic_aarch64_known_code(void *reader, const struct cfic_frame *frame)
{
	__u64 pc = frame->machine.pc, code = cfic_aarch64_instructions(reader, pc);

	/*
	 * A new thread, in which clone3 has just returned 0: its stack is new, but the link register still has the
	 * value of the thread that created it. This covers glibc's code (mov; svc; cmp x0, #0; beq) up to the jump.
	 */
	if ((frame->flags & CFIC_FRAME_ALL_REGISTERS) && frame->machine.registers[0] == 0
		&& (cfic_aarch64_instructions(reader, pc - 8) == CFIC_AARCH64_CLONE3
			|| cfic_aarch64_instructions(reader, pc - 12) == CFIC_AARCH64_CLONE3))
		return CFIC_KNOWN_THREAD_START;
	/* At the first instruction, to which handlers return. */
	if (code == CFIC_AARCH64_RT_SIGRETURN)
		return CFIC_KNOWN_RESTORER;
	if (frame->flags & CFIC_FRAME_EXACT_PC) {
		/* At the system call, or in it; then x8 still is its number. */
		if (cfic_aarch64_instructions(reader, pc - 4) == CFIC_AARCH64_RT_SIGRETURN)
			return CFIC_KNOWN_RESTORER;
		return frame->machine.registers[CFIC_AARCH64_X8] == 139
				&& cfic_aarch64_instructions(reader, pc - 8) == CFIC_AARCH64_RT_SIGRETURN
			? CFIC_KNOWN_RESTORER : CFIC_KNOWN_NOTHING;
	}
	/* After the call of the thread's function in musl's clone. */
	return code == CFIC_AARCH64_EXIT ? CFIC_KNOWN_THREAD_START : CFIC_KNOWN_NOTHING;
}

#endif

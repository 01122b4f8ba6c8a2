/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* x86-64 code that is recognised by the system call that it makes. */
#ifndef CFIC_X86_64_KNOWN_CODE_H
#define CFIC_X86_64_KNOWN_CODE_H

#include "../frame.h"

#define CFIC_X86_64_RAX 0
#define CFIC_X86_64_RCX 2

/* Whether the bytes before an address are `mov $15, %rax` (7 bytes) or `mov $15, %eax` (5 bytes), then `syscall`. */
CFIC_INLINE int cfic_x86_64_ends_restorer(void *reader, __u64 end)
{
	__u64 code[2] = {0, 0};

	if (CFIC_READ(reader, code, 9, end - 9))
		return 0;
	if (code[0] == 0x0f0000000fc0c748 && code[1] == 0x05)
		return 1;
	return (code[0] >> 16 | code[1] << 48) == 0x050f0000000fb8;
}

/* Whether the bytes before an address are `mov $435, %eax` (clone3), then `syscall`. */
CFIC_INLINE int cfic_x86_64_ends_clone3(void *reader, __u64 end)
{
	__u64 code[1] = {0};

	return CFIC_READ(reader, code, 7, end - 7) == 0 && code[0] == 0x050f000001b3b8;
}

/*
 * Whether the thread is new: clone3 has just returned 0 in it. This covers glibc's code (mov; syscall; test %rax, %rax;
 * jl; je) up to the second jump, after which there is call frame information again.
 */
CFIC_INLINE int cfic_x86_64_is_new_thread(void *reader, const struct cfic_frame *frame)
{
	__u64 pc = frame->machine.pc;

	return (frame->flags & CFIC_FRAME_ALL_REGISTERS) && frame->machine.registers[CFIC_X86_64_RAX] == 0
		&& (cfic_x86_64_ends_clone3(reader, pc) || cfic_x86_64_ends_clone3(reader, pc - 3)
			|| cfic_x86_64_ends_clone3(reader, pc - 5));
}

/* The vsyscall page, which the kernel has in all processes. It emulates the three functions there. */
#define CFIC_X86_64_VSYSCALL 0xffffffffff600000

/* The rule for code that has pushed nothing since it was called. */
CFIC_INLINE void cfic_x86_64_set_leaf_rule(struct cfic_rule *rule)
{
	rule->kind = CFIC_CFA_REGISTER;
	rule->cfa = CFIC_X86_64_SP;
	rule->fp = CFIC_VALUE_SAME << CFIC_VALUE_SHIFT;
	rule->ra = CFIC_VALUE_AT_CFA << CFIC_VALUE_SHIFT;
	rule->cfa_offset = 8;
	rule->fp_offset = 0;
	rule->ra_offset = -8;
}

CFIC_INLINE enum cfic_known_code cfic_x86_64_known_code(void *reader, const struct cfic_frame *frame)
{
	__u64 pc = frame->machine.pc, code = 0;

	/* Its functions trap at their first instruction, so nothing was pushed. */
	if (pc >> 12 == CFIC_X86_64_VSYSCALL >> 12)
		return frame->flags & CFIC_FRAME_EXACT_PC ? CFIC_KNOWN_LEAF : CFIC_KNOWN_NOTHING;
	/* At the first instruction, to which handlers return. */
	if (cfic_x86_64_ends_restorer(reader, pc + 9) || cfic_x86_64_ends_restorer(reader, pc + 7))
		return CFIC_KNOWN_RESTORER;
	if (frame->flags & CFIC_FRAME_EXACT_PC) {
		/* At the system call, or in it; then rcx is its return address. */
		if (cfic_x86_64_ends_restorer(reader, pc + 2))
			return CFIC_KNOWN_RESTORER;
		if (cfic_x86_64_is_new_thread(reader, frame))
			return CFIC_KNOWN_THREAD_START;
		return frame->machine.registers[CFIC_X86_64_RCX] == pc && cfic_x86_64_ends_restorer(reader, pc)
			? CFIC_KNOWN_RESTORER : CFIC_KNOWN_NOTHING;
	}
	/* mov %eax, %edi; xor %eax, %eax; mov $60 (exit), %al; syscall: after the thread's function in musl's clone. */
	if (CFIC_READ(reader, &code, sizeof(code), pc) == 0 && code == 0x050f3cb0c031c789)
		return CFIC_KNOWN_THREAD_START;
	return CFIC_KNOWN_NOTHING;
}

#endif

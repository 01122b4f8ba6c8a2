/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code without call frame information that is recognised by the system call that it makes, or by its place in the stack,
 * so that its caller, or the end of the stack, is known without a guess. walk.h lists the macros that must be defined first.
 */
#ifndef CFIC_KNOWN_CODE_H
#define CFIC_KNOWN_CODE_H

#include "sigframe.h"

enum cfic_known_code {
	CFIC_KNOWN_NOTHING = 0,
	CFIC_KNOWN_RESTORER = 1,     /* calls rt_sigreturn(2): the kernel's signal frame is at the stack pointer        */
	CFIC_KNOWN_THREAD_START = 2, /* starts a thread: follows clone3(2), or calls exit(2) after the thread's function */
	CFIC_KNOWN_LEAF = 3,         /* has pushed nothing: the return address is on top of the stack                   */
	CFIC_KNOWN_PROGRAM_START = 4, /* runs where the process's stack begins, such as the dynamic linker's `_start`  */
};

/* AVMA of the process's stack where its program began: its stack pointer then. 0 if it isn't known. */
#ifndef CFIC_STACK_START
#define CFIC_STACK_START(reader) ((void)(reader), 0)
#endif

#include "aarch64/known_code.h"
#include "x86_64/known_code.h"

/*
 * Whether the frame's stack pointer is that with which the kernel began the program. Above it are the program's arguments,
 * so there is no room for a return address, and the frame has no caller. On aarch64, the innermost frame may still have
 * one in the link register.
 */
CFIC_INLINE int cfic_is_program_start(void *reader, const struct cfic_frame *frame, __u32 e_machine)
{
	__u64 start;

	(void)reader; /* unused in BPF programs */
	if (e_machine == CFIC_MACHINE_AARCH64
		&& (frame->flags & (CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_NO_STACK_POINTER)))
		return 0;
	start = CFIC_STACK_START(reader);
	return start && frame->machine.registers[cfic_sp_of(e_machine)] == start;
}

CFIC_INLINE enum cfic_known_code cfic_known_code(void *reader, const struct cfic_frame *frame, __u32 e_machine)
{
	if (cfic_is_program_start(reader, frame, e_machine))
		return CFIC_KNOWN_PROGRAM_START;
	return e_machine == CFIC_MACHINE_AARCH64 ? cfic_aarch64_known_code(reader, frame)
						 : cfic_x86_64_known_code(reader, frame);
}

#endif

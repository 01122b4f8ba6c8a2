/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code without call frame information that is recognised by the system call that it makes, so that its caller, or the
 * end of the stack, is known without a guess. walk.h lists the macros that must be defined first.
 */
#ifndef CFIC_KNOWN_CODE_H
#define CFIC_KNOWN_CODE_H

#include "sigframe.h"

enum cfic_known_code {
	CFIC_KNOWN_NOTHING = 0,
	CFIC_KNOWN_RESTORER = 1,     /* calls rt_sigreturn(2): the kernel's signal frame is at the stack pointer        */
	CFIC_KNOWN_THREAD_START = 2, /* starts a thread: follows clone3(2), or calls exit(2) after the thread's function */
	CFIC_KNOWN_LEAF = 3,         /* has pushed nothing: the return address is on top of the stack                   */
};

#include "aarch64/known_code.h"
#include "x86_64/known_code.h"

CFIC_INLINE enum cfic_known_code cfic_known_code(void *reader, const struct cfic_frame *frame, __u32 e_machine)
{
	return e_machine == CFIC_MACHINE_AARCH64 ? cfic_aarch64_known_code(reader, frame)
						 : cfic_x86_64_known_code(reader, frame);
}

#endif

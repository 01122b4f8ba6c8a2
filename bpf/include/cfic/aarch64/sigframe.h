/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What Linux saves where a signal interrupts aarch64 code: struct sigcontext of asm/sigcontext.h. */
#ifndef CFIC_AARCH64_SIGFRAME_H
#define CFIC_AARCH64_SIGFRAME_H

#include "../machine.h"

#define CFIC_AARCH64_SP 31
#define CFIC_AARCH64_FP 29
#define CFIC_AARCH64_LR 30

/*
 * From the stack pointer that rt_sigreturn is called with: siginfo takes 128 bytes, struct ucontext 176 up to its
 * uc_mcontext, and that has the fault address first.
 */
#define CFIC_AARCH64_SAVED_X0 312
#define CFIC_AARCH64_SAVED_X29 (CFIC_AARCH64_SAVED_X0 + 29 * 8)
#define CFIC_AARCH64_SAVED_SP (CFIC_AARCH64_SAVED_X0 + 31 * 8)
#define CFIC_AARCH64_SAVED_PC (CFIC_AARCH64_SAVED_X0 + 32 * 8)

/* Reads the registers of the interrupted frame into machine->registers; 0 if all could be read. */
CFIC_INLINE int cfic_aarch64_read_saved(void *reader, struct cfic_machine *machine)
{
	/* x0 to x30 and sp stand in the order of their numbers. */
	return CFIC_READ(reader, machine->registers, sizeof(machine->registers),
			 machine->registers[CFIC_AARCH64_SP] + CFIC_AARCH64_SAVED_X0);
}

_Static_assert(sizeof(((struct cfic_machine *)0)->registers) == 32 * 8, "x0 to x30 and sp");

#endif

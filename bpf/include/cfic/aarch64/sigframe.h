/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The registers that Linux saves when a signal interrupts aarch64 code: struct sigcontext of asm/sigcontext.h. */
#ifndef CFIC_AARCH64_SIGFRAME_H
#define CFIC_AARCH64_SIGFRAME_H

#include "../machine.h"

/*
 * Offsets from the stack pointer at the call of rt_sigreturn: siginfo takes 128 bytes, struct ucontext 176 up to its
 * uc_mcontext, which begins with the 8-byte fault address.
 */
#define CFIC_AARCH64_SAVED_X0 312
#define CFIC_AARCH64_SAVED_X29 (CFIC_AARCH64_SAVED_X0 + 29 * 8)
#define CFIC_AARCH64_SAVED_SP (CFIC_AARCH64_SAVED_X0 + 31 * 8)
#define CFIC_AARCH64_SAVED_PC (CFIC_AARCH64_SAVED_X0 + 32 * 8)

/* Reads the registers of the interrupted frame into machine->registers; 0 if all could be read. */
CFIC_INLINE int cfic_aarch64_read_saved(void *reader, struct cfic_machine *machine)
{
	/* x0 to x30 and sp are in the order of their DWARF numbers. */
	return CFIC_READ(reader, machine->registers, sizeof(machine->registers),
			 machine->registers[CFIC_AARCH64_SP] + CFIC_AARCH64_SAVED_X0);
}

CFIC_STATIC_ASSERT(sizeof(((struct cfic_machine *)0)->registers) == 32 * 8, "x0 to x30 and sp");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The registers that Linux saves when a signal interrupts x86-64 code: struct sigcontext_64 of asm/sigcontext.h. */
#ifndef CFIC_X86_64_SIGFRAME_H
#define CFIC_X86_64_SIGFRAME_H

#include "../machine.h"

/* Offsets from the stack pointer at the call of rt_sigreturn, which points to struct ucontext. */
#define CFIC_X86_64_SAVED_R8 40
#define CFIC_X86_64_SAVED_RDI 104
#define CFIC_X86_64_SAVED_RBP 120
#define CFIC_X86_64_SAVED_RSP 160
#define CFIC_X86_64_SAVED_RIP 168

/* Reads the registers of the interrupted frame into machine->registers; 0 if all could be read. */
CFIC_INLINE int cfic_x86_64_read_saved(void *reader, struct cfic_machine *machine)
{
	__u64 sp = machine->registers[CFIC_X86_64_SP];

	/* r8 to r15 are in the order of their DWARF numbers. The others follow in another order. */
	if (CFIC_READ(reader, &machine->registers[8], 64, sp + CFIC_X86_64_SAVED_R8)
		|| CFIC_READ(reader, machine->stack, 64, sp + CFIC_X86_64_SAVED_RDI))
		return -1;
	machine->registers[5] = machine->stack[0]; /* rdi */
	machine->registers[4] = machine->stack[1]; /* rsi */
	machine->registers[6] = machine->stack[2]; /* rbp */
	machine->registers[3] = machine->stack[3]; /* rbx */
	machine->registers[1] = machine->stack[4]; /* rdx */
	machine->registers[0] = machine->stack[5]; /* rax */
	machine->registers[2] = machine->stack[6]; /* rcx */
	machine->registers[7] = machine->stack[7]; /* rsp */
	return 0;
}

CFIC_STATIC_ASSERT(CFIC_STACK_MAX >= 8, "the second half of the registers passes through the stack of programs");

#endif

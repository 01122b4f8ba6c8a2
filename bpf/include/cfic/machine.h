/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rules and their programs read, and the memory of programs. */
#ifndef CFIC_MACHINE_H
#define CFIC_MACHINE_H

#include "rule.h"

/* ELF e_machine: elf.h is not at hand everywhere. */
#define CFIC_MACHINE_X86_64 62
#define CFIC_MACHINE_AARCH64 183

/* Not small: kernel programs keep it in a map. */
struct cfic_machine {
	__u64 registers[CFIC_REGISTER_MASK + 1]; /* by DWARF number                                             */
	__u64 pc;                                /* as it is, not less 1                                        */
	__u64 cfa;                               /* not read by a program that computes it                      */
	__u64 stack[CFIC_STACK_MAX];
	__u32 depth;                             /* entries of the stack that the last program left              */
	__u32 reserved;
};

#endif

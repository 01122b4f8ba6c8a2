/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The registers that rules and their programs read, and the stack of programs. */
#ifndef CFIC_MACHINE_H
#define CFIC_MACHINE_H

#include "rule.h"

/* ELF e_machine, defined here because elf.h is not available everywhere. */
#define CFIC_MACHINE_X86_64 62
#define CFIC_MACHINE_AARCH64 183

/* DWARF numbers of registers. */
#define CFIC_X86_64_FP 6
#define CFIC_X86_64_SP 7
#define CFIC_AARCH64_FP 29
#define CFIC_AARCH64_LR 30
#define CFIC_AARCH64_SP 31

/* Too large for the stack of a BPF program, which keeps it in a map. */
struct cfic_machine {
	__u64 registers[CFIC_REGISTER_MASK + 1]; /* by DWARF number                                             */
	__u64 pc;                                /* without subtracting 1, even if it is a return address       */
	__u64 cfa;                               /* undefined while a program computes it                       */
	__u64 stack[CFIC_STACK_MAX];
	__u32 depth;                             /* number of stack entries after the last program               */
	__u32 reserved;
};

#endif

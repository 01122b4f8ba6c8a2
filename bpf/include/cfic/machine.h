/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rules and their programs read, and the memory of programs. */
#ifndef CFIC_MACHINE_H
#define CFIC_MACHINE_H

#include "rule.h"

/* Not small: kernel programs keep it in a map. */
struct cfic_machine {
	__u64 registers[CFIC_REGISTER_MASK + 1]; /* by DWARF number                                             */
	__u64 pc;                                /* as it is, not less 1                                        */
	__u64 cfa;                               /* not read by a program that computes it                      */
	__u64 stack[CFIC_STACK_MAX];
};

#endif

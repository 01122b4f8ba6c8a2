/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The signal frames that the kernel makes, in which it saves all registers of the interrupted frame. program.h lists
 * the macros that must be defined first.
 */
#ifndef CFIC_SIGFRAME_H
#define CFIC_SIGFRAME_H

#include "program.h"

#include "aarch64/sigframe.h"
#include "x86_64/sigframe.h"

/*
 * Whether a rule itself states that it reads the kernel's struct sigcontext: a signal frame's rule whose three
 * registers all come from their offsets in that structure. Other signal frames' rules, not for the kernel's frame,
 * differ.
 */
CFIC_INLINE int cfic_is_sigframe(
	const struct cfic_rule *rule, __u32 sp, __s32 saved_sp, __s32 saved_fp, __s32 saved_pc)
{
	__u32 at_sp = CFIC_VALUE_AT_REGISTER << CFIC_VALUE_SHIFT | sp;

	return (rule->kind & ~CFIC_RULE_INFERRED) == (CFIC_CFA_DEREF | CFIC_RULE_SIGNAL) && rule->cfa == sp && rule->cfa_offset == saved_sp
		&& rule->fp == at_sp && rule->fp_offset == saved_fp && rule->ra == at_sp && rule->ra_offset == saved_pc;
}

/* The rule for code that calls rt_sigreturn(2). cfic_read_interrupted accepts it. */
CFIC_INLINE void cfic_set_sigframe_rule(struct cfic_rule *rule, __u32 e_machine)
{
	int is_aarch64 = e_machine == CFIC_MACHINE_AARCH64;
	__u8 sp = is_aarch64 ? CFIC_AARCH64_SP : CFIC_X86_64_SP;
	__u8 at_sp = (__u8)(CFIC_VALUE_AT_REGISTER << CFIC_VALUE_SHIFT | sp);

	rule->kind = CFIC_CFA_DEREF | CFIC_RULE_SIGNAL;
	rule->cfa = sp;
	rule->fp = at_sp;
	rule->ra = at_sp;
	rule->cfa_offset = is_aarch64 ? CFIC_AARCH64_SAVED_SP : CFIC_X86_64_SAVED_RSP;
	rule->fp_offset = is_aarch64 ? CFIC_AARCH64_SAVED_X29 : CFIC_X86_64_SAVED_RBP;
	rule->ra_offset = is_aarch64 ? CFIC_AARCH64_SAVED_PC : CFIC_X86_64_SAVED_RIP;
}

/* Reads all registers of the interrupted frame if the rule is for the kernel's signal frame; 0 if it read them. */
CFIC_INLINE int cfic_read_interrupted(
	void *reader, struct cfic_machine *machine, const struct cfic_rule *rule, __u32 e_machine)
{
	if (e_machine == CFIC_MACHINE_AARCH64)
		return cfic_is_sigframe(rule, CFIC_AARCH64_SP, CFIC_AARCH64_SAVED_SP, CFIC_AARCH64_SAVED_X29,
					CFIC_AARCH64_SAVED_PC)
			? cfic_aarch64_read_saved(reader, machine) : -1;
	return cfic_is_sigframe(rule, CFIC_X86_64_SP, CFIC_X86_64_SAVED_RSP, CFIC_X86_64_SAVED_RBP,
				CFIC_X86_64_SAVED_RIP)
		? cfic_x86_64_read_saved(reader, machine) : -1;
}

#endif

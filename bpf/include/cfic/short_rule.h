/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a rule as tables store it to a rule. */
#ifndef CFIC_SHORT_RULE_H
#define CFIC_SHORT_RULE_H

#include "inline.h"
#include "machine.h"
#include "rule.h"

/* The index among the long rules, of a rule with CFIC_SHORT_LONG. */
CFIC_INLINE __u32 cfic_long_rule_index(const struct cfic_short_rule *rule)
{
	return rule->ra | (__u32)rule->fp << 8;
}

/* Expands a rule without CFIC_SHORT_LONG. */
CFIC_INLINE void cfic_expand_rule(const struct cfic_short_rule *rule, struct cfic_rule *to, __u32 e_machine)
{
	int is_aarch64 = e_machine == CFIC_MACHINE_AARCH64, is_link = rule->ra == CFIC_SHORT_RA_LINK;
	__u32 sp = is_aarch64 ? CFIC_AARCH64_SP : CFIC_X86_64_SP, fp = is_aarch64 ? CFIC_AARCH64_FP : CFIC_X86_64_FP;

	__builtin_memset(to, 0, sizeof(*to));
	/* Only of rule 0: every other rule has a return address. */
	if (!rule->ra)
		return;
	/* An unwinder knows the link register only while it knows all registers. */
	to->kind = CFIC_CFA_REGISTER | (rule->cfa & CFIC_SHORT_RA_SIGNED ? CFIC_RULE_RA_SIGNED : 0)
		| (is_link ? CFIC_RULE_LIVE_REGISTERS : 0);
	to->cfa = rule->cfa & CFIC_SHORT_CFA_FP ? fp : sp;
	to->cfa_offset = 8 * (rule->cfa & CFIC_SHORT_CFA_MASK);
	if (rule->fp) {
		to->fp = CFIC_VALUE_AT_CFA << CFIC_VALUE_SHIFT;
		to->fp_offset = -8 * rule->fp;
	}
	to->ra = is_link
		? CFIC_AARCH64_LR | CFIC_VALUE_REGISTER << CFIC_VALUE_SHIFT : CFIC_VALUE_AT_CFA << CFIC_VALUE_SHIFT;
	to->ra_offset = is_link ? 0 : -8 * rule->ra;
}

#endif

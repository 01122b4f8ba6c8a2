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

/*
 * Expands a rule without CFIC_SHORT_LONG. What differs between most rules is computed without branches, which would be
 * mispredicted, and whole words are stored, because a load that follows a store of its parts has to wait for them.
 */
CFIC_INLINE void cfic_expand_rule(const struct cfic_short_rule *rule, struct cfic_rule *to, __u32 e_machine)
{
	const int is_aarch64 = e_machine == CFIC_MACHINE_AARCH64;
	const __u32 sp = is_aarch64 ? CFIC_AARCH64_SP : CFIC_X86_64_SP;
	const __u32 fp = is_aarch64 ? CFIC_AARCH64_FP : CFIC_X86_64_FP;
	__u32 cfa = sp - (sp - fp) * ((rule->cfa & CFIC_SHORT_CFA_FP) / CFIC_SHORT_CFA_FP);
	__u32 flags = (rule->cfa & CFIC_SHORT_RA_SIGNED) / CFIC_SHORT_RA_SIGNED * CFIC_RULE_RA_SIGNED
		| (rule->cfa & CFIC_SHORT_INFERRED) / CFIC_SHORT_INFERRED * CFIC_RULE_INFERRED;
	/* 1 if fp isn't 0. */
	__u32 has_fp = (rule->fp + 255u) >> 8;
	/* struct cfic_rule, little-endian. */
	__u32 words[3] = {
		CFIC_CFA_REGISTER | flags | cfa << 8 | has_fp * CFIC_VALUE_AT_CFA << (16 + CFIC_VALUE_SHIFT)
			| (__u32)CFIC_VALUE_AT_CFA << (24 + CFIC_VALUE_SHIFT),
		8u * (rule->cfa & CFIC_SHORT_CFA_MASK),
		((0u - 8u * rule->fp) & 0xffff) | (0u - 8u * rule->ra) << 16,
	};

	if (is_aarch64 && rule->ra == CFIC_SHORT_RA_LINK) {
		/* An unwinder knows the link register only while it knows all registers. */
		words[0] = (words[0] & 0xffffff) | CFIC_RULE_LIVE_REGISTERS
			| (CFIC_AARCH64_LR | (__u32)CFIC_VALUE_REGISTER << CFIC_VALUE_SHIFT) << 24;
		words[2] &= 0xffff;
	} else if (!rule->ra) {
		/* Only rule 0: every other rule has a return address. */
		words[0] = words[1] = words[2] = 0;
	}
	__builtin_memcpy(to, words, sizeof(*to));
}

CFIC_STATIC_ASSERT(sizeof(struct cfic_rule) == 12, "three words");

#endif

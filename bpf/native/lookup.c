/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cfic/lookup.h"
#include "cfic/native.h"
#include "cfic/short_rule.h"

/* The directory entry of a page; outside all ranges, that of a page without information. */
static __u32 entry_of(const struct cfic_native_table *table, __u64 page)
{
	__u32 first = 0, end = table->range_count;

	/* A binary search with at most 32 steps. */
	while (first < end) {
		__u32 middle = first + (end - first) / 2;

		if (table->ranges[middle].start_page <= page)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == 0 || page - table->ranges[first - 1].start_page >= table->ranges[first - 1].page_count)
		return CFIC_PAGE_UNIFORM;
	return table->directory[table->ranges[first - 1].directory_index + (page - table->ranges[first - 1].start_page)];
}

static const void *record(const struct cfic_native_table *table, __u32 place)
{
	return table->pages + (__u64)place * CFIC_RECORD_ALIGN;
}

__u32 cfic_native_lookup(const struct cfic_native_table *table, __u64 address)
{
	__u32 entry = entry_of(table, address >> (table->pc_shift + CFIC_PAGE_BITS));
	__u32 unit = (address >> table->pc_shift) & (CFIC_PAGE_UNITS - 1);
	__u32 value = entry >> CFIC_PAGE_KIND_BITS;
	const struct cfic_templates templates = {
		.memory = table->templates, .first = table->first_template, .count = table->template_count
	};
	const struct cfic_quarters *quarters;

	switch (entry & ((1 << CFIC_PAGE_KIND_BITS) - 1)) {
	case CFIC_PAGE_SPARSE:
		return cfic_sparse_lookup(record(table, value), 0, unit, &templates);
	case CFIC_PAGE_DENSE:
		return cfic_dense_lookup(record(table, value), 0, unit, &templates);
	case CFIC_PAGE_QUARTERS:
		quarters = record(table, value);
		return cfic_quarter_lookup(
			record(table, quarters->quarter[unit / CFIC_QUARTER_UNITS]), 0, unit % CFIC_QUARTER_UNITS);
	default:
		return value;
	}
}

struct cfic_rule cfic_native_rule(const struct cfic_native_table *table, __u32 number)
{
	const struct cfic_short_rule *rule = &table->rules[number];
	struct cfic_rule whole;

	if (rule->cfa & CFIC_SHORT_LONG)
		return table->long_rules[cfic_long_rule_index(rule)];
	cfic_expand_rule(rule, &whole, table->machine);
	return whole;
}

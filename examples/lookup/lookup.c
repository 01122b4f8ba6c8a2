/*
 * lookup TABLE ADDRESS: prints the number of the rule that a table has for an address (SVMA, hexadecimal).
 *
 * cc -I/usr/include -o lookup lookup.c, or with -I of bpf/include. The table is trusted: `cfic verify` proves it.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <cfic/lookup.h>
#include <cfic/sections.h>

/* unit: the address's low 16 bits of pc units. The table is proved. */
static __u32 rule_number(const struct cfic_native_table *table, __u32 entry, __u32 unit)
{
	__u32 value = entry >> CFIC_PAGE_KIND_BITS;
	const void *record = table->pages + (__u64)value * CFIC_RECORD_ALIGN;
	const struct cfic_templates templates = {
		.memory = table->templates, .first = table->first_template, .count = table->template_count
	};

	switch (entry % (1 << CFIC_PAGE_KIND_BITS)) {
	case CFIC_PAGE_UNIFORM:
		return value;
	case CFIC_PAGE_SPARSE:
		return cfic_sparse_lookup(record, 0, unit, &templates);
	case CFIC_PAGE_DENSE:
		return cfic_dense_lookup(record, 0, unit, &templates);
	default: /* CFIC_PAGE_QUARTERS */
		value = ((const struct cfic_quarters *)record)->quarter[unit / CFIC_QUARTER_UNITS];
		return cfic_quarter_lookup(table->pages + (__u64)value * CFIC_RECORD_ALIGN, 0, unit % CFIC_QUARTER_UNITS);
	}
}

static __u32 look_up(const char *file, __u64 address)
{
	const struct cfic_native_table table = cfic_native_sections((const void *)file);
	const struct cfic_range *range = table.ranges;
	__u64 units = address >> table.pc_shift;
	__u64 page = units >> CFIC_PAGE_BITS;

	for (__u64 n = table.range_count; n > 0; n--, range++)
		if (page >= range->start_page && page - range->start_page < range->page_count)
			return rule_number(&table, table.directory[range->directory_index + (page - range->start_page)],
					   units % CFIC_PAGE_UNITS);
	return 0; /* no information */
}

int main(int count, char **arguments)
{
	FILE *file = count == 3 ? fopen(arguments[1], "rb") : NULL;
	char *table;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < (long)sizeof(struct cfic_table_header)) {
		fprintf(stderr, "usage: lookup TABLE ADDRESS\n");
		return 64;
	}
	rewind(file);
	table = malloc(size);
	if (!table || fread(table, size, 1, file) != 1)
		return 1;
	printf("%u\n", look_up(table, strtoull(arguments[2], NULL, 16)));
	return 0;
}

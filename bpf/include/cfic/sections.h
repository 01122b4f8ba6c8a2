/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the parts of a proved table are. */
#ifndef CFIC_SECTIONS_H
#define CFIC_SECTIONS_H

#include "inline.h"
#include "native.h"
#include "table.h"

/* The size of a header in bytes. */
CFIC_INLINE __u32 cfic_header_size(const struct cfic_table_header *header)
{
	__u32 variable = header->key_size + header->digest_size;

	return sizeof(*header) + (variable + 7) / 8 * 8 + sizeof(__u64);
}

/* The offset of a section in the file. */
CFIC_INLINE __u64 cfic_section_offset(const struct cfic_table_header *header, enum cfic_section_index section)
{
	/* In the order of enum cfic_section_index; the reserved one is empty. */
	const __u8 sizes[CFIC_SECTION_COUNT] = {
		sizeof(struct cfic_range), sizeof(struct cfic_op), sizeof(struct cfic_template), sizeof(__u32),
		sizeof(struct cfic_short_rule), sizeof(struct cfic_rule), sizeof(struct cfic_source), 0, CFIC_RECORD_ALIGN,
	};
	__u64 offset = cfic_header_size(header);

	for (__u32 i = 0; i < (__u32)section; i++)
		offset += (__u64)header->lengths[i] * sizes[i];
	return offset;
}

/* The first byte of a section of a table in memory. */
CFIC_INLINE const void *cfic_section(const struct cfic_table_header *header, enum cfic_section_index section)
{
	return (const unsigned char *)header + cfic_section_offset(header, section);
}

/* The sections of a table in memory, for cfic_native_lookup. */
CFIC_INLINE struct cfic_native_table cfic_native_sections(const struct cfic_table_header *header)
{
	struct cfic_native_table table;

	table.ranges = (const struct cfic_range *)cfic_section(header, CFIC_SECTION_RANGES);
	table.directory = (const __u32 *)cfic_section(header, CFIC_SECTION_DIRECTORY);
	table.templates = (const struct cfic_template *)cfic_section(header, CFIC_SECTION_TEMPLATES);
	table.rules = (const struct cfic_short_rule *)cfic_section(header, CFIC_SECTION_RULES);
	table.long_rules = (const struct cfic_rule *)cfic_section(header, CFIC_SECTION_LONG_RULES);
	table.operations = (const struct cfic_op *)cfic_section(header, CFIC_SECTION_EXPRESSIONS);
	table.pages = (const unsigned char *)cfic_section(header, CFIC_SECTION_PAGES);
	table.range_count = header->lengths[CFIC_SECTION_RANGES];
	table.operation_count = header->lengths[CFIC_SECTION_EXPRESSIONS];
	table.first_template = header->first_template;
	table.template_count = header->lengths[CFIC_SECTION_TEMPLATES];
	table.machine = header->machine;
	table.pc_shift = header->pc_shift;
	return table;
}

#endif

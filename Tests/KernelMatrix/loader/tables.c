/*
 * Tables of files (docs/table-format.md), laid out in elements (cfic/elements.h).
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const void *table_record(const struct table *table, __u32 place)
{
	return table->native.pages + (size_t)place * CFIC_RECORD_ALIGN;
}

static __u32 write_record(const void *record, size_t size)
{
	__u32 place = elements_take((size + 3) / 4, 1);

	elements_write(place, record, size);
	return place;
}

static __u32 write_quarters(const struct table *table, const struct cfic_quarters *head)
{
	struct cfic_quarters written;

	for (int i = 0; i < 4; i++) {
		const struct cfic_quarter *quarter = table_record(table, head->quarter[i]);

		written.quarter[i] = write_record(quarter, sizeof(*quarter) + 3 * quarter->row_count);
	}
	return write_record(&written, sizeof(written));
}

/* Writes a page's record, and returns the kernel's directory entry for the file's. */
static __u32 write_page(struct table *table, __u32 entry)
{
	__u32 kind = entry & ((1 << CFIC_PAGE_KIND_BITS) - 1), place;
	const void *record = table_record(table, entry >> CFIC_PAGE_KIND_BITS);
	const struct cfic_sparse *sparse = record;
	const struct cfic_dense *dense = record;

	table->pages[kind]++;
	switch (kind) {
	case CFIC_PAGE_SPARSE:
		place = write_record(record, sizeof(*sparse) + 2 * sparse->palette_count + 3 * sparse->row_count);
		break;
	case CFIC_PAGE_DENSE:
		place = write_record(record, sizeof(*dense) + 2 * dense->palette_count + 2 * dense->row_count);
		break;
	case CFIC_PAGE_QUARTERS:
		place = write_quarters(table, record);
		break;
	default:
		return entry;
	}
	return place << CFIC_PAGE_KIND_BITS | kind;
}

static __u32 write_rules(const struct table *table)
{
	__u32 place = elements_take(CFIC_RULE_WORDS * table->rule_count, 1);

	elements_write(place, table->native.rules, table->rule_count * sizeof(struct cfic_rule));
	return place;
}

/* Writes all of a table except the ranges, which make it visible. */
static void write_table(struct table *table, __u32 directory_count)
{
	static __u32 number;
	__u32 page_bits = table->native.pc_shift + CFIC_PAGE_BITS;
	const struct cfic_native_table *native = &table->native;
	__u32 directory = elements_take(directory_count, 1), rules = write_rules(table);
	__u32 operations = elements_take(native->operation_count * CFIC_OPERATION_WORDS, 2);

	for (__u32 page = 0; page < directory_count; page++) {
		__u32 entry = write_page(table, native->directory[page]);

		elements_write(directory + page, &entry, sizeof(entry));
	}
	elements_write(operations, native->operations, native->operation_count * sizeof(struct cfic_op));
	for (__u32 i = 0; i < native->range_count; i++) {
		struct cfic_loaded_range range = {
			.start = native->ranges[i].start_page << page_bits,
			.page_count = native->ranges[i].page_count,
			.directory = directory + native->ranges[i].directory_index,
			.rules = rules,
			.operations = operations,
			.operation_count = native->operation_count,
			.number = ++number,
		};

		table->ranges[i] = elements_take(sizeof(range) / 4, sizeof(range) / 4);
		elements_write(table->ranges[i], &range, sizeof(range));
	}
}

struct table *table_load(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct table *table = calloc(1, sizeof(*table));
	struct cfic_native_table *native = &table->native;
	const struct cfic_section *sections;
	const char *bytes;
	struct stat status;

	CHECK(file >= 0 && fstat(file, &status) == 0, "%s can't be opened", path);
	bytes = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(bytes != MAP_FAILED, "%s can't be mapped", path);
	close(file);
	table->header = (const void *)bytes;
	sections = table->header->sections;
	native->ranges = (const void *)(bytes + sections[CFIC_SECTION_RANGES].offset);
	native->range_count = sections[CFIC_SECTION_RANGES].size / sizeof(struct cfic_range);
	native->directory = (const void *)(bytes + sections[CFIC_SECTION_DIRECTORY].offset);
	native->rules = (const void *)(bytes + sections[CFIC_SECTION_RULES].offset);
	native->operations = (const void *)(bytes + sections[CFIC_SECTION_EXPRESSIONS].offset);
	native->operation_count = sections[CFIC_SECTION_EXPRESSIONS].size / sizeof(struct cfic_op);
	native->pages = (const void *)(bytes + sections[CFIC_SECTION_PAGES].offset);
	native->machine = table->header->machine;
	native->pc_shift = table->header->pc_shift;
	table->rule_count = sections[CFIC_SECTION_RULES].size / sizeof(struct cfic_rule);
	table->ranges = calloc(native->range_count, sizeof(__u32));
	write_table(table, sections[CFIC_SECTION_DIRECTORY].size / sizeof(__u32));
	return table;
}

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
	/* With room for the most items of a block after its last one. */
	__u32 place = elements_take((size + CFIC_ELEMENT_SPARE + 3) / 4, 1);

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

static size_t dense_size(const struct cfic_dense *dense)
{
	__u32 units = dense->last_unit + 1, index;
	const __u16 *item_count;

	if (dense->index == CFIC_INDEX_NIBBLES)
		index = (units >> (CFIC_BLOCK_BITS + CFIC_NIBBLE_GROUP_BITS)) * sizeof(struct cfic_nibble_group);
	else
		index = units >> dense->index;
	item_count = (const __u16 *)((const char *)(dense + 1) + index);
	return sizeof(*dense) + index + 2 + 2 * dense->palette_count + 2 * *item_count;
}

/* Writes a page's record, and returns the kernel's directory entry for the file's. */
static __u32 write_page(struct table *table, __u32 entry)
{
	__u32 kind = entry & ((1 << CFIC_PAGE_KIND_BITS) - 1), place;
	const void *record = table_record(table, entry >> CFIC_PAGE_KIND_BITS);
	const struct cfic_sparse *sparse = record;

	table->pages[kind]++;
	switch (kind) {
	case CFIC_PAGE_SPARSE:
		place = write_record(record, sizeof(*sparse) + 2 * sparse->palette_count + 3 * sparse->item_count);
		break;
	case CFIC_PAGE_DENSE:
		place = write_record(record, dense_size(record));
		break;
	case CFIC_PAGE_QUARTERS:
		place = write_quarters(table, record);
		break;
	default:
		return entry;
	}
	return place << CFIC_PAGE_KIND_BITS | kind;
}

/* Copies elements of a section. Returns their place. */
static __u32 write_section(const void *from, size_t size, __u32 align)
{
	__u32 place = elements_take(size / 4, align);

	elements_write(place, from, size);
	return place;
}

/* Writes all of a table except the ranges, which make it visible. */
static void write_table(struct table *table, __u32 directory_count)
{
	static __u32 number;
	__u32 page_bits = table->native.pc_shift + CFIC_PAGE_BITS;
	const struct cfic_native_table *native = &table->native;
	__u32 long_count = table->header->lengths[CFIC_SECTION_LONG_RULES];
	__u32 templates = write_section(native->templates, native->template_count * sizeof(struct cfic_template), 2);
	__u32 directory = elements_take(directory_count, 1);
	__u32 rules = write_section(native->rules, table->rule_count * sizeof(struct cfic_short_rule), 1);
	__u32 long_rules = write_section(native->long_rules, long_count * sizeof(struct cfic_rule), 1);
	__u32 operations = write_section(native->operations, native->operation_count * sizeof(struct cfic_op), 2);

	for (__u32 page = 0; page < directory_count; page++) {
		__u32 entry = write_page(table, native->directory[page]);

		elements_write(directory + page, &entry, sizeof(entry));
	}
	for (__u32 i = 0; i < native->range_count; i++) {
		struct cfic_loaded_range range = {
			.start = native->ranges[i].start_page << page_bits,
			.page_count = native->ranges[i].page_count,
			.directory = directory + native->ranges[i].directory_index,
			.templates = templates,
			.symbols = native->first_template | native->template_count << 16,
			.rules = rules,
			.long_rules = long_rules,
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
	const char *bytes;
	struct stat status;

	CHECK(file >= 0 && fstat(file, &status) == 0, "%s can't be opened", path);
	bytes = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(bytes != MAP_FAILED, "%s can't be mapped", path);
	close(file);
	table->header = (const void *)bytes;
	table->native = cfic_native_sections(table->header);
	table->rule_count = table->header->lengths[CFIC_SECTION_RULES];
	table->ranges = calloc(table->native.range_count, sizeof(__u32));
	write_table(table, table->header->lengths[CFIC_SECTION_DIRECTORY]);
	return table;
}

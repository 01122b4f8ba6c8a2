/*
 * Looks up the edges of a table's rows and pages, and random pcs, in the kernel, and compares the rules with those that
 * bpf/native finds.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <string.h>

#define RANDOM_PCS 100000
#define MAPPINGS_MAX 8192
/* An id that no process has, and the address of its image. */
#define PROCESS 0xfffffff0u
#define BIAS 0x555500001000ull

struct comparison {
	struct cfic_batch *batch;
	int program;
	const struct table *table;
	struct mapping *mappings;
	size_t mapping_count;
	unsigned long edges, different;
};

/* Runs the batch, compares its rules, and empties it. */
static void compare(struct comparison *comparison)
{
	const struct cfic_native_table *native = &comparison->table->native;
	struct cfic_batch *batch = comparison->batch;
	LIBBPF_OPTS(bpf_test_run_opts, options);

	batch->process = PROCESS;
	batch->what = 0;
	memset(batch->steps, 0xff, sizeof(batch->steps));
	CHECK(bpf_prog_test_run_opts(comparison->program, &options) == 0 && options.retval == 0, "look_up can't be run");
	for (__u32 i = 0; i < batch->count; i++) {
		__u64 svma = batch->pcs[i] - BIAS;
		__u32 number = cfic_native_lookup(native, svma);
		struct cfic_rule rule = cfic_native_rule(native, number);

		if (batch->steps[i] == CFIC_STEP_CALLER && memcmp(&batch->rules[i], &rule, sizeof(rule)) == 0)
			continue;
		if (comparison->different++ == 0)
			printf("at %llx rule %u, in the kernel step %u and another rule\n", svma, number, batch->steps[i]);
	}
	batch->count = 0;
}

static void look_up(struct comparison *comparison, __u64 svma)
{
	comparison->batch->pcs[comparison->batch->count++] = svma + BIAS;
	if (comparison->batch->count == CFIC_BATCH_LOOKUPS)
		compare(comparison);
}

/* Looks up the addresses on both sides of an edge. Address 0 has no predecessor. */
static void look_up_edge(struct comparison *comparison, __u64 svma)
{
	comparison->edges++;
	look_up(comparison, svma);
	if (svma > 0)
		look_up(comparison, svma - 1);
}

/* Looks up the edges of a page's rows: every unit whose rule is another than that of the unit before. */
static void look_up_page(struct comparison *comparison, __u64 start)
{
	const struct cfic_native_table *native = &comparison->table->native;
	__u32 number = cfic_native_lookup(native, start);

	look_up_edge(comparison, start);
	for (__u64 unit = 1; unit < CFIC_PAGE_UNITS; unit++) {
		__u64 svma = start + (unit << native->pc_shift);
		__u32 next = cfic_native_lookup(native, svma);

		if (next != number)
			look_up_edge(comparison, svma);
		number = next;
	}
}

/* Maps the pages from `first` to `end` (exclusive), one mapping each, so that the search takes many steps. */
static void map_pages(struct comparison *comparison, __u64 first, __u64 end, __u32 range)
{
	__u32 shift = comparison->table->native.pc_shift + CFIC_PAGE_BITS;

	for (__u64 page = first; page < end; page++) {
		CHECK(comparison->mapping_count < MAPPINGS_MAX, "too many pages");
		comparison->mappings[comparison->mapping_count++] = (struct mapping){
			.start = (page << shift) + BIAS, .end = ((page + 1) << shift) + BIAS, .bias = BIAS, .range = range};
	}
}

/* Maps all ranges, with a page before and after each, which the table doesn't describe. */
static void map_ranges(struct comparison *comparison)
{
	const struct cfic_native_table *native = &comparison->table->native;
	__u64 end = 0;

	for (__u32 i = 0; i < native->range_count; i++) {
		const struct cfic_range *range = &native->ranges[i];
		__u64 first = range->start_page > end ? range->start_page - 1 : range->start_page;

		end = range->start_page + range->page_count + 1;
		if (i + 1 < native->range_count && end > native->ranges[i + 1].start_page)
			end = native->ranges[i + 1].start_page;
		map_pages(comparison, first, end, comparison->table->ranges[i]);
	}
}

/* xorshift64*: the same numbers each time. */
static __u64 random_number(void)
{
	static __u64 state = 0x9e3779b97f4a7c15;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

unsigned long lookups_compare(struct bpf_object *object, const char *path)
{
	const struct table *table = table_load(path);
	const struct cfic_native_table *native = &table->native;
	struct comparison comparison = {
		.batch = object_batch(object),
		.program = object_program(object, OF_MACHINE("look_up")),
		.table = table,
		.mappings = calloc(MAPPINGS_MAX, sizeof(struct mapping)),
	};
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	comparison.batch->count = 0;
	map_ranges(&comparison);
	process_add(object, PROCESS, comparison.mappings, comparison.mapping_count);
	for (__u32 i = 0; i < native->range_count; i++) {
		const struct cfic_range *range = &native->ranges[i];
		__u32 shift = native->pc_shift + CFIC_PAGE_BITS;

		for (__u32 page = 0; page < range->page_count; page++)
			look_up_page(&comparison, (range->start_page + page) << shift);
		/* The range's end; its start is that of its first page. */
		look_up_edge(&comparison, (range->start_page + range->page_count) << shift);
	}
	for (int i = 0; i < RANDOM_PCS; i++) {
		const struct mapping *mapping = &comparison.mappings[random_number() % comparison.mapping_count];

		look_up(&comparison, mapping->start + random_number() % (mapping->end - mapping->start) - BIAS);
	}
	compare(&comparison);
	process_remove(object, PROCESS);
	free(comparison.mappings);
	printf("lookups %s random %d edges %lu different %lu uniform %u sparse %u dense %u quarters %u rules %u\n", name,
	       RANDOM_PCS, comparison.edges, comparison.different, table->pages[CFIC_PAGE_UNIFORM],
	       table->pages[CFIC_PAGE_SPARSE], table->pages[CFIC_PAGE_DENSE], table->pages[CFIC_PAGE_QUARTERS],
	       table->rule_count);
	fflush(stdout);
	return comparison.different;
}

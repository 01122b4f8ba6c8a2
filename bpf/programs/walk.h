/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk's memory accesses, for both machines: the stack, mappings, tables.
 *
 * The kernel verifies functions that are not static on their own, once, however often they are called. Their arguments
 * are scalars, because Linux before 5.12 allows nothing else; they find the walk's state in a map.
 */
#ifndef CFIC_PROGRAM_WALK_H
#define CFIC_PROGRAM_WALK_H

#include "maps.h"

/*
 * The window begins this many bytes below the requested address, because saved registers are below the return address.
 */
#define WINDOW_BELOW 56

/* Reads a window of the stack, from a little below an address; 0 if it could be read. */
int read_window(__u64 address)
{
	struct walk *walk = this_walk();

	if (!walk)
		return -1;
	walk->stack_reads++;
	walk->window_words = 0;
	if (bpf_probe_read_user(walk->window, WINDOW_SIZE, (const void *)(address - WINDOW_BELOW)))
		return -1;
	walk->window_start = address - WINDOW_BELOW;
	walk->window_words = WINDOW_SIZE - 7;
	return 0;
}

/* Reads a word of the stack, which is usually in the window; 0 if it could be read. */
static __always_inline long read_word(struct walk *walk, __u64 *to, __u64 address)
{
	__u64 at = address - walk->window_start;

	if (at >= walk->window_words) {
		/*
		 * Reads only the word if it is a little below the window: registers saved far below the return address
		 * would move the window down, and the next frame would move it up again. Also reads only the word if a
		 * window can't be read because it extends beyond a mapping.
		 */
		if ((walk->window_words && -at <= WINDOW_SIZE) || read_window(address)) {
			walk->other_reads++;
			return bpf_probe_read_user(to, sizeof(*to), (const void *)address);
		}
		at = WINDOW_BELOW;
	}
	*to = *(const __u64 *)((const __u8 *)walk->window + (at & (WINDOW_SIZE - 1)));
	return 0;
}

static __always_inline long read_memory(struct walk *walk, void *to, __u32 size, __u64 address)
{
	walk->other_reads++;
	return bpf_probe_read_user(to, size, (const void *)address);
}

#define CFIC_READ(reader, to, size, address)                                                                 \
	(__builtin_constant_p(size) && (size) == 8                                                           \
		 ? read_word((struct walk *)(reader), (__u64 *)(to), (address))                                      \
		 : read_memory((struct walk *)(reader), (to), (size), (address)))

static __always_inline const struct cfic_op *operation(struct walk *walk, __u32 index)
{
	__u32 place = walk->range.operations + index * CFIC_OPERATION_WORDS;
	const __u8 *memory;

	if (index >= walk->range.operation_count)
		return 0;
	memory = element(place);
	return memory ? (const struct cfic_op *)(memory + (offset(place) & (CFIC_ELEMENT_SIZE - 8))) : 0;
}

#define CFIC_OPERATION(reader, index) operation((struct walk *)(reader), (index))

#include "cfic/program.h"

/* Runs a program of the current table. */
int evaluate(__u32 index)
{
	struct walk *walk = this_walk();

	return walk ? (int)cfic_evaluate(walk, &walk->frame.machine, index) : CFIC_EVALUATION_UNREADABLE;
}

#define CFIC_EVALUATE(reader, machine, index) (enum cfic_evaluation)evaluate(index)

/*
 * Makes the table of a mapping the walk's current one, if it is there, and counts that it was needed. The count is not
 * atomic: it only tells tables that are used much from others.
 */
static __always_inline void use_range(struct walk *walk, __u32 place, __u32 is_pending, __u64 bias)
{
	struct cfic_loaded_range *range;
	void *memory;

	walk->range.page_count = 0;
	walk->without_table = is_pending ? CFIC_STEP_TABLE_PENDING
		: place ? CFIC_STEP_TABLE_EVICTED : CFIC_STEP_NO_TABLE;
	if (!place)
		return;
	memory = (void *)element(place);
	if (!memory)
		return;
	range = memory + (offset(place) & (CFIC_ELEMENT_SIZE - sizeof(*range)));
	__builtin_memcpy(&walk->range, range, __builtin_offsetof(struct cfic_loaded_range, uses));
	range->uses++;
	walk->page_offset = walk->mapping_start - bias - walk->range.start;
}

/*
 * Finds the mapping that contains an address, and makes it and its table the walk's current ones: CFIC_STEP_CALLER,
 * else CFIC_STEP_NO_MAPPING. Takes a search of at most 17 steps, 7 for a process of 100 mappings.
 */
int find_mapping(__u64 address)
{
	struct walk *walk = this_walk();
	__u32 at, count, first, mapping;
	const __u8 *memory;

	if (!walk)
		return CFIC_STEP_NO_MAPPING;
	walk->mapping_lookups++;
	walk->mapping_size = 0;
	memory = element(walk->process);
	if (!memory)
		return CFIC_STEP_NO_MAPPING;
	at = offset(walk->process);
	walk->sample.mappings = CFIC_U32(memory, at + CFIC_OFFSET(struct cfic_process, number));
	count = CFIC_U32(memory, at + CFIC_OFFSET(struct cfic_process, count));
	first = at += sizeof(struct cfic_process);
	/* The mappings follow their starts. */
	mapping = first + 8 * count;
	CFIC_SEARCH(CFIC_PROCESS_SEARCH_STEPS, CFIC_U64, memory, at, 8, count, address)
	if (at == first)
		return CFIC_STEP_NO_MAPPING;
	walk->mapping_start = CFIC_U64(memory, at - 8);
	at = mapping + ((at - first) / 8 - 1) * sizeof(struct cfic_mapping);
	if (CFIC_U64(memory, at + CFIC_OFFSET(struct cfic_mapping, end)) <= address)
		return CFIC_STEP_NO_MAPPING;
	walk->mapping_size = CFIC_U64(memory, at + CFIC_OFFSET(struct cfic_mapping, end)) - walk->mapping_start;
	use_range(
		walk, CFIC_U32(memory, at + CFIC_OFFSET(struct cfic_mapping, range)),
		CFIC_U32(memory, at + CFIC_OFFSET(struct cfic_mapping, pending)),
		CFIC_U64(memory, at + CFIC_OFFSET(struct cfic_mapping, bias)));
	return CFIC_STEP_CALLER;
}

/*
 * The number of the rule `bytes` bytes after the start of a range. The page's directory entry is at `place`, which is
 * in `memory`. 0, "no information", if an element is missing. All bytes of an aarch64 instruction have the same rule.
 */
static __always_inline __u32 rule_number(
	const struct walk *walk, const void *memory, __u32 place, __u64 bytes, __u32 pc_shift)
{
	__u32 unit = (bytes >> pc_shift) & (CFIC_PAGE_UNITS - 1);
	__u32 entry = CFIC_U32(memory, offset(place)), value = entry >> CFIC_PAGE_KIND_BITS;
	struct cfic_templates templates = {
		.memory = element_near(memory, place, walk->range.templates),
		.offset = offset(walk->range.templates),
		.first = walk->range.symbols & 0xffff,
		.count = walk->range.symbols >> 16,
	};

	entry &= (1 << CFIC_PAGE_KIND_BITS) - 1;
	if (entry == CFIC_PAGE_UNIFORM)
		return value;
	memory = element_near(memory, place, value);
	if (!memory || !templates.memory)
		return 0;
	if (entry == CFIC_PAGE_DENSE)
		return cfic_dense_lookup(memory, offset(value), unit, &templates);
	if (entry == CFIC_PAGE_SPARSE)
		return cfic_sparse_lookup(memory, offset(value), unit, &templates);
	/* CFIC_PAGE_QUARTERS */
	place = CFIC_U32(memory, offset(value) + 4 * (unit / CFIC_QUARTER_UNITS));
	memory = element_near(memory, value, place);
	return memory ? cfic_quarter_lookup(memory, offset(place), unit % CFIC_QUARTER_UNITS) : 0;
}

/* Copies a rule of the walk's current table; rule 0 if an element is missing. `place` is in `memory`. */
static __always_inline void copy_rule(
	const struct walk *walk, const void *memory, __u32 place, __u32 number, struct cfic_rule *rule, __u32 e_machine)
{
	const struct cfic_short_rule *found;
	const struct cfic_rule *whole = 0;

	memory = element_near(memory, place, walk->range.rules + number);
	place = walk->range.rules + number;
	found = memory ? CFIC_HEAD(memory, offset(place), struct cfic_short_rule) : 0;
	if (found && !(found->cfa & CFIC_SHORT_LONG)) {
		cfic_expand_rule(found, rule, e_machine);
		return;
	}
	if (found) {
		number = walk->range.long_rules + cfic_long_rule_index(found) * CFIC_LONG_RULE_WORDS;
		memory = element_near(memory, place, number);
		whole = memory ? CFIC_HEAD(memory, offset(number), struct cfic_rule) : 0;
	}
	*rule = whole ? *whole : (struct cfic_rule){ 0 };
}

/* The slot of this CPU's cache of recent rules; null if there is none. */
static __always_inline struct recent_rule *recent_rule(const struct walk *walk, __u32 slot)
{
	__u32 cpu = walk->sample.cpu;
	struct recent_rule *recent = bpf_map_lookup_elem(&recent_rules, &cpu);

	return recent ? &recent[slot & (RECENT_RULES - 1)] : 0;
}

/*
 * Has a slot of the cache of recent rules remember the rule `bytes` bytes after the start of the walk's current range. A
 * function of its own for each machine, so that the kernel verifies a lookup once, and not with each state of a walk.
 */
int remember_rule_x86_64(__u64 bytes, __u32 slot);
int remember_rule_aarch64(__u64 bytes, __u32 slot);

static __always_inline int remember_rule(__u64 bytes, __u32 slot, __u32 e_machine)
{
	__u32 pc_shift = e_machine == CFIC_MACHINE_AARCH64 ? 2 : 0, number = 0, directory;
	__u64 page = bytes >> (pc_shift + CFIC_PAGE_BITS);
	struct walk *walk = this_walk();
	struct recent_rule *recent;
	const void *memory;

	if (!walk)
		return 0;
	recent = recent_rule(walk, slot);
	if (!recent)
		return 0;
	directory = walk->range.directory + page;
	recent->bytes = bytes;
	recent->range = walk->range.number;
	memory = element(directory);
	if (!memory) {
		recent->rule = (struct cfic_rule){ 0 };
		return 0;
	}
	if (page < walk->range.page_count)
		number = rule_number(walk, memory, directory, bytes, pc_shift);
	copy_rule(walk, memory, directory, number, &recent->rule, e_machine);
	return 0;
}

/* Copies the rule `bytes` bytes after the start of the walk's current range. */
static __always_inline void find_rule(struct walk *walk, __u64 bytes, struct cfic_rule *rule, __u32 e_machine)
{
	__u64 hash = bytes >> (e_machine == CFIC_MACHINE_AARCH64 ? 2 : 0);
	__u32 slot = (hash ^ hash >> RECENT_RULES_BITS) & (RECENT_RULES - 1);
	struct recent_rule *recent = recent_rule(walk, slot);

	/* Never: the map has an entry for each CPU. */
	if (!recent) {
		*rule = (struct cfic_rule){ 0 };
		return;
	}
	if (recent->bytes != bytes || recent->range != walk->range.number)
		OF_MACHINE(e_machine, remember_rule, bytes, slot);
	*rule = recent->rule;
}

static __always_inline enum cfic_step find(struct walk *walk, __u64 pc, struct cfic_rule *rule, __u32 e_machine)
{
	__u64 bytes = pc - walk->mapping_start;

	if (bytes >= walk->mapping_size) {
		if (find_mapping(pc) != CFIC_STEP_CALLER)
			return CFIC_STEP_NO_MAPPING;
		bytes = pc - walk->mapping_start;
	}
	if (!walk->range.page_count)
		return walk->without_table;
	find_rule(walk, bytes + walk->page_offset, rule, e_machine);
	return CFIC_STEP_CALLER;
}

#define CFIC_FIND(reader, pc, rule, e_machine) find((reader), (pc), (rule), (e_machine))
#define CFIC_GUESSES(reader) 1

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookup in one page record: from a pc unit to a rule number. Compiled natively and for BPF.
 *
 * A record is given as the memory that contains it and its offset there. The including file may first define:
 *
 *   CFIC_U8(memory, offset), CFIC_U16(memory, offset)   the number at an offset
 *   CFIC_UNALIGNED_U64(memory, offset)                  the same at an offset that may be odd
 *   CFIC_HEAD(memory, offset, type)                     a const type * to that offset; null if it would not be in
 *   bounds
 *
 * CFIC_HEAD is also used for the most items that a block can have, struct cfic_block_items: behind a record, the memory has to
 * go on for as much (cfic/elements.h, CFIC_ELEMENT_SPARE), though nothing of it is read.
 *
 * BPF programs define them with masks and bounds, which show the kernel's verifier that accesses stay within the
 * memory. None of these functions checks what `cfic verify` proves: callers must only pass records of verified tables.
 */
#ifndef CFIC_LOOKUP_H
#define CFIC_LOOKUP_H

#include "inline.h"
#include "table.h"

#ifndef CFIC_U8
#define CFIC_U8(memory, offset) (((const __u8 *)(memory))[offset])
#define CFIC_U16(memory, offset) (*(const __u16 *)((const __u8 *)(memory) + (offset)))
#define CFIC_UNALIGNED_U64(memory, offset) cfic_unaligned_u64((const __u8 *)(memory) + (offset))
#define CFIC_HEAD(memory, offset, type) ((const type *)((const __u8 *)(memory) + (offset)))

CFIC_INLINE __u64 cfic_unaligned_u64(const void *from)
{
	__u64 value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}
#endif

/* The steps of a binary search with 256 possible results. */
#define CFIC_SEARCH_STEPS 8

/*
 * Only clang gets the unroll pragma, because other compilers warn about it. BPF has no conditional moves: if the
 * compiler turns the search's branch into a select, that becomes two branches, which CFIC_BRANCH prevents.
 */
#ifdef __clang__
#define CFIC_UNROLL _Pragma("unroll")
#else
#define CFIC_UNROLL
#endif
#ifdef __bpf__
#define CFIC_BRANCH(value) __asm__ volatile("" : "+r"(value))
#else
#define CFIC_BRANCH(value) (void)0
#endif

/*
 * Binary search among `count` ascending values, fewer than 2^steps, at offsets `at`, `at + stride`, …. Sets `at` to the
 * offset after the last value that is <= limit, and changes `count`. The loop has a constant bound because the kernel's
 * verifier does not see that halving ends.
 */
#define CFIC_SEARCH(steps, LOAD, memory, at, stride, count, limit)                                           \
	for (__u32 step = 0; step < (steps) && (count) > 0; step++) {                                        \
		__u32 half = (count) >> 1, middle = (at) + (stride) * half;                                  \
                                                                                                             \
		if (LOAD(memory, middle) <= (limit)) {                                                       \
			(at) = middle + (stride);                                                            \
			(count) -= half + 1;                                                                 \
			CFIC_BRANCH(at);                                                                     \
		} else {                                                                                     \
			(count) = half;                                                                      \
		}                                                                                            \
	}

/* A table's templates: the memory that contains them, their offset there, the first one's symbol and their number. */
struct cfic_templates {
	const void *memory;
	__u32 offset;
	__u32 first;
	__u32 count;
};

/*
 * The number of the rule `distance` units (0..255) after the first row of the item with a code. `palette` is the offset
 * of the record's palette.
 */
CFIC_INLINE __u32 cfic_item_rule(
	const void *memory, __u32 palette, __u32 palette_count, __u32 code, __u32 distance,
	const struct cfic_templates *templates)
{
	__u32 symbol = code;
	const struct cfic_template *found;
	const __u8 *row;

	if (code + palette_count >= 256)
		symbol = CFIC_U16(memory, palette + 2 * (code + palette_count - 256));
	if (symbol < templates->first)
		return symbol;
	symbol -= templates->first;
	if (symbol >= templates->count)
		return symbol + templates->first - templates->count;
	/*
	 * The last row whose offset is at most the distance. Most code is behind all rows of a template, and rows that aren't
	 * there repeat the last one.
	 */
	found = CFIC_HEAD(templates->memory, templates->offset + symbol * sizeof(*found), struct cfic_template);
	if (!found)
		return 0;
	if (found->offset[CFIC_TEMPLATE_ROWS - 1] <= distance)
		return found->rule[CFIC_TEMPLATE_ROWS - 1];
	row = found->offset;
	if (row[4] <= distance) {
		row += 4;
		CFIC_BRANCH(row);
	}
	if (row[2] <= distance) {
		row += 2;
		CFIC_BRANCH(row);
	}
	if (row[1] <= distance) {
		row += 1;
		CFIC_BRANCH(row);
	}
	return row[CFIC_TEMPLATE_ROWS];
}

/*
 * The rule number at `unit` (0..65535) of a sparse record. Item 0 is at unit 0, so at most 255 items have to be searched.
 */
CFIC_INLINE __u32 cfic_sparse_lookup(
	const void *memory, __u32 record, __u32 unit, const struct cfic_templates *templates)
{
	const struct cfic_sparse *head = CFIC_HEAD(memory, record, struct cfic_sparse);
	__u32 palette = record + sizeof(*head), palette_count, units, count, at, code, distance;

	if (!head)
		return 0;
	palette_count = head->palette_count;
	units = palette + 2 * palette_count;
	at = units + 2;
	count = head->item_count - 1;
	CFIC_UNROLL
	CFIC_SEARCH(CFIC_SEARCH_STEPS, CFIC_U16, memory, at, 2, count, unit)
	code = CFIC_U8(memory, units + 2 * head->item_count + (at - units) / 2 - 1);
	distance = unit - CFIC_U16(memory, at - 2);
	return cfic_item_rule(memory, palette, palette_count, code, distance > 255 ? 255 : distance, templates);
}

/* The items of a block: the first one's index, their number, and the size of the record's index in bytes. */
struct cfic_block {
	__u32 first;
	__u32 count;
	__u32 index_size;
};

/* The block of a unit, by an index of struct cfic_nibble_group. */
CFIC_INLINE void cfic_find_nibble_block(
	const void *memory, __u32 index, __u32 unit, __u32 last_unit, struct cfic_block *block)
{
	__u32 group = index + sizeof(struct cfic_nibble_group) * (unit >> (CFIC_BLOCK_BITS + CFIC_NIBBLE_GROUP_BITS));
	__u32 shift = 4 * (unit >> CFIC_BLOCK_BITS & ((1 << CFIC_NIBBLE_GROUP_BITS) - 1));
	__u64 counts = CFIC_UNALIGNED_U64(memory, group + 2), before;

	block->count = counts >> shift & CFIC_NIBBLE_MAX;
	/* The sum of the counts before: first of each two, then of all. It is at most 240, so it fits a byte. */
	before = counts & ((1ull << shift) - 1);
	before = (before & 0x0f0f0f0f0f0f0f0full) + (before >> 4 & 0x0f0f0f0f0f0f0f0full);
	block->first = CFIC_U16(memory, group) + (__u32)(before * 0x0101010101010101ull >> 56);
	block->index_size =
		sizeof(struct cfic_nibble_group) * ((last_unit + 1) >> (CFIC_BLOCK_BITS + CFIC_NIBBLE_GROUP_BITS));
}

/* The same by the usual index, of blocks with 2^bits units. */
CFIC_INLINE void cfic_find_block(
	const void *memory, __u32 index, __u32 bits, __u32 unit, __u32 last_unit, struct cfic_block *block)
{
	const __u32 base_mask = (1 << CFIC_GROUP_BASE_BITS) - 1, start_mask = (1 << CFIC_GROUP_START_BITS) - 1;
	__u32 number = unit >> bits, group = index + 8 * (number >> CFIC_GROUP_BITS), end;
	__u32 shift = CFIC_GROUP_START_BITS * (number & ((1 << CFIC_GROUP_BITS) - 1));
	__u64 word = CFIC_UNALIGNED_U64(memory, group), starts = word >> CFIC_GROUP_BASE_BITS << CFIC_GROUP_START_BITS;

	block->first = starts >> shift & start_mask;
	/* The last block of a group ends where the next group begins, or with all items. */
	if (shift < CFIC_GROUP_START_BITS * ((1 << CFIC_GROUP_BITS) - 1))
		end = starts >> (shift + CFIC_GROUP_START_BITS) & start_mask;
	else
		end = (CFIC_U16(memory, group + 8) - word) & base_mask;
	block->count = end - block->first;
	block->first += word & base_mask;
	block->index_size = (last_unit + 1) >> bits;
}

/* The most items of a block, and the one before. */
struct cfic_block_items {
	struct cfic_item item[1 + CFIC_BLOCK_MAX];
};

/* The steps of a binary search among at most CFIC_BLOCK_MAX items. */
#define CFIC_BLOCK_STEPS 7

/*
 * The last of the `count` items after `item` whose unit is at most `low`; if there is none, `item`. What is left of the
 * items after a step is less than half; the mask shows it to the kernel's verifier.
 */
CFIC_INLINE const struct cfic_item *cfic_search_items(const struct cfic_item *item, __u32 count, __u32 low)
{
	count &= CFIC_BLOCK_MAX;
	CFIC_UNROLL
	for (__u32 step = 1; step <= CFIC_BLOCK_STEPS && count > 0; step++) {
		__u32 half = count >> 1;
		const struct cfic_item *middle = item + half + 1;

		if (middle->unit <= low) {
			item = middle;
			count -= half + 1;
			CFIC_BRANCH(item);
		} else {
			count = half;
		}
		count &= CFIC_BLOCK_MAX >> step;
	}
	return item;
}

/* The rule number at `unit` (0..65535) of a dense record. */
CFIC_INLINE __u32 cfic_dense_lookup(
	const void *memory, __u32 record, __u32 unit, const struct cfic_templates *templates)
{
	const struct cfic_dense *head = CFIC_HEAD(memory, record, struct cfic_dense);
	__u32 index = record + sizeof(*head), palette, items, distance;
	const struct cfic_block_items *near;
	const struct cfic_item *item;
	struct cfic_block block;

	if (!head)
		return 0;
	/* Beyond the last block, what its last unit has is in force. */
	if (unit > head->last_unit)
		unit = head->last_unit;
	if (head->index == CFIC_INDEX_NIBBLES)
		cfic_find_nibble_block(memory, index, unit, head->last_unit, &block);
	else
		cfic_find_block(memory, index, head->index & 15, unit, head->last_unit, &block);
	palette = index + block.index_size + sizeof(__u16);
	items = palette + 2 * head->palette_count;
	/* In block 0, whose first item is at unit 0, the search never ends at what precedes it. */
	near = CFIC_HEAD(memory, items + sizeof(*item) * block.first - sizeof(*item), struct cfic_block_items);
	if (!near)
		return 0;
	unit &= CFIC_BLOCK_UNITS - 1;
	item = cfic_search_items(near->item, block.count, unit);
	/* Of an item of an earlier block, the last row is in force, and so it is at a distance of 255. */
	distance = item == near->item ? 255 : unit - item->unit;
	return cfic_item_rule(memory, palette, head->palette_count, item->code, distance, templates);
}

/*
 * The rule number at `unit` (0..16383) of a quarter record. A block has at most 256 rows, whose units are strictly
 * ascending bytes.
 */
CFIC_INLINE __u32 cfic_quarter_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_quarter *head = CFIC_HEAD(memory, record, struct cfic_quarter);
	__u32 rules = record + sizeof(*head), units, block, first, count, at;
	__u8 low = unit;

	if (!head)
		return 0;
	units = rules + 2 * head->row_count;
	block = unit >> CFIC_BLOCK_BITS;
	first = head->start[block];
	count = head->start[block + 1] - first;
	at = units + first;
	if (count > 255) {
		/* 256 strictly ascending bytes are exactly 0..255. */
		at += low + 1;
	} else {
		CFIC_UNROLL
		CFIC_SEARCH(CFIC_SEARCH_STEPS, CFIC_U8, memory, at, 1, count, low)
	}
	return CFIC_U16(memory, rules + 2 * (at - units - 1));
}

#endif

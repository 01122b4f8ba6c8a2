/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookup in one page record: from a pc unit to a rule number. Compiled natively and for BPF.
 *
 * A record is given as the memory that contains it and its offset there. The including file may first define:
 *
 *   CFIC_U8(memory, offset), CFIC_U16(memory, offset)   the number at an offset
 *   CFIC_HEAD(memory, offset, type)                     a const type * to that offset; null if it would not be in
 *   bounds
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
#define CFIC_HEAD(memory, offset, type) ((const type *)((const __u8 *)(memory) + (offset)))
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

/*
 * The same for the `count` rows of one block, at most 256, by their units, which are strictly ascending bytes. Returns
 * the new `at`.
 */
CFIC_INLINE __u32 cfic_search_block(const void *memory, __u32 at, __u32 stride, __u32 count, __u8 low)
{
	/* 256 strictly ascending bytes are exactly 0..255. */
	if (count > 255)
		return at + stride * ((__u32)low + 1);
	CFIC_UNROLL
	CFIC_SEARCH(CFIC_SEARCH_STEPS, CFIC_U8, memory, at, stride, count, low)
	return at;
}

/*
 * The rule number at `unit` (0..65535) of a sparse record. Row 0 is at unit 0, so at most 255 rows have to be searched.
 */
CFIC_INLINE __u32 cfic_sparse_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_sparse *head = CFIC_HEAD(memory, record, struct cfic_sparse);
	__u32 palette = record + sizeof(*head), palette_count, units, count, at, code;

	if (!head)
		return 0;
	palette_count = head->palette_count;
	units = palette + 2 * palette_count;
	at = units + 2;
	count = head->row_count - 1;
	CFIC_UNROLL
	CFIC_SEARCH(CFIC_SEARCH_STEPS, CFIC_U16, memory, at, 2, count, unit)
	code = CFIC_U8(memory, units + 2 * head->row_count + (at - units) / 2 - 1);
	return palette_count ? CFIC_U16(memory, palette + 2 * code) : code;
}

/* The rule number at `unit` (0..65535) of a dense record. */
CFIC_INLINE __u32 cfic_dense_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_dense *head = CFIC_HEAD(memory, record, struct cfic_dense);
	__u32 palette = record + sizeof(*head), palette_count, block, first, end, at, code;

	if (!head)
		return 0;
	palette_count = head->palette_count;
	block = unit >> CFIC_BLOCK_BITS;
	first = head->base[block >> CFIC_GROUP_BITS] + head->start[block];
	end = head->base[(block + 1) >> CFIC_GROUP_BITS] + head->start[block + 1];
	at = cfic_search_block(memory, palette + 2 * palette_count + 2 * first, 2, end - first, unit);
	/* A row precedes `at` even if none is in this block at or below the unit: block 0 has a row at unit 0. */
	code = CFIC_U8(memory, at - 1);
	return palette_count ? CFIC_U16(memory, palette + 2 * code) : code;
}

/* The rule number at `unit` (0..16383) of a quarter record. */
CFIC_INLINE __u32 cfic_quarter_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_quarter *head = CFIC_HEAD(memory, record, struct cfic_quarter);
	__u32 rules = record + sizeof(*head), units, block, first, end, at;

	if (!head)
		return 0;
	units = rules + 2 * head->row_count;
	block = unit >> CFIC_BLOCK_BITS;
	first = head->start[block];
	end = head->start[block + 1];
	at = cfic_search_block(memory, units + first, 1, end - first, unit);
	return CFIC_U16(memory, rules + 2 * (at - units - 1));
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookup inside one page record: from a pc unit to a rule number. Compiled natively and for BPF.
 *
 * A record is said as the memory that it lies in and its offset there. Who includes this may define, before:
 *
 *   CFIC_U8(memory, offset), CFIC_U16(memory, offset)   what stands there
 *   CFIC_HEAD(memory, offset, type)                     a const type * to what begins there; null if it isn't all there
 *
 * Kernel programs define them with masks and bounds, which show the verifier that they stay in their memory. None of
 * these functions checks what `cfic verify` proves: a caller passes records of verified tables only.
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

/* Halvings that find one of 256 answers. */
#define CFIC_SEARCH_STEPS 8

/* Other compilers than clang warn of what they don't know; they need not do it. */
#ifdef __clang__
#define CFIC_UNROLL _Pragma("unroll")
#else
#define CFIC_UNROLL
#endif

/*
 * Binary search for the number of rising values that are <= limit, out of `count`, at most 255: VALUE(index) is the one at
 * an index. The bound is for the kernel's verifier, which does not see that halving comes to an end.
 */
#define CFIC_COUNT_AT_MOST(below, count, VALUE, limit)                                                       \
	CFIC_UNROLL                                                                                          \
	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && (count) > 0; step++) {                              \
		__u32 half = (count) >> 1;                                                                   \
                                                                                                             \
		if (VALUE((below) + half) <= (limit)) {                                                      \
			(below) += half + 1;                                                                 \
			(count) -= half + 1;                                                                 \
		} else {                                                                                     \
			(count) = half;                                                                      \
		}                                                                                            \
	}

/*
 * Of `count` rows of one block, of which there are 256 at most, how many are at `low` or before: their units, strictly
 * rising, stand at `first` and every `stride` bytes on.
 */
CFIC_INLINE __u32 cfic_count_at_most_u8(const void *memory, __u32 first, __u32 stride, __u32 count, __u8 low)
{
	__u32 below = 0;

	/* 256 rising bytes are 0..255 themselves. */
	if (count > 255)
		return (__u32)low + 1;
#define CFIC_VALUE(index) CFIC_U8(memory, first + stride * (index))
	CFIC_COUNT_AT_MOST(below, count, CFIC_VALUE, low)
#undef CFIC_VALUE
	return below;
}

/* The same of units of a page, at most 255 of them. */
CFIC_INLINE __u32 cfic_count_at_most_u16(const void *memory, __u32 first, __u32 count, __u16 unit)
{
	__u32 below = 0;

#define CFIC_VALUE(index) CFIC_U16(memory, first + 2 * (index))
	CFIC_COUNT_AT_MOST(below, count, CFIC_VALUE, unit)
#undef CFIC_VALUE
	return below;
}

/*
 * The rule number at `unit` (0..65535) of a sparse record. Row 0 is at unit 0 and needs no search, which
 * leaves at most 255.
 */
CFIC_INLINE __u32 cfic_sparse_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_sparse *head = CFIC_HEAD(memory, record, struct cfic_sparse);
	__u32 palette = record + sizeof(*head), palette_count, rows, units, row, code;

	if (!head)
		return 0;
	palette_count = head->palette_count;
	rows = head->row_count;
	units = palette + 2 * palette_count;
	row = cfic_count_at_most_u16(memory, units + 2, rows - 1, unit);
	code = CFIC_U8(memory, units + 2 * rows + row);
	return palette_count ? CFIC_U16(memory, palette + 2 * code) : code;
}

/* The rule number at `unit` (0..65535) of a dense record. */
CFIC_INLINE __u32 cfic_dense_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_dense *head = CFIC_HEAD(memory, record, struct cfic_dense);
	__u32 palette = record + sizeof(*head), palette_count, rows, block, first, end, row, code;

	if (!head)
		return 0;
	palette_count = head->palette_count;
	rows = palette + 2 * palette_count;
	block = unit >> CFIC_BLOCK_BITS;
	first = head->base[block >> CFIC_GROUP_BITS] + head->start[block];
	end = head->base[(block + 1) >> CFIC_GROUP_BITS] + head->start[block + 1];
	rows += 2 * first;
	/* Block 0 has a row at unit 0: rows before the block's first answer for its beginning. */
	row = cfic_count_at_most_u8(memory, rows, 2, end - first, unit) - 1;
	code = CFIC_U8(memory, rows + 2 * row + 1);
	return palette_count ? CFIC_U16(memory, palette + 2 * code) : code;
}

/* The rule number at `unit` (0..16383) of a quarter record. */
CFIC_INLINE __u32 cfic_quarter_lookup(const void *memory, __u32 record, __u32 unit)
{
	const struct cfic_quarter *head = CFIC_HEAD(memory, record, struct cfic_quarter);
	__u32 rules = record + sizeof(*head), units, block, first, end, row;

	if (!head)
		return 0;
	units = rules + 2 * head->row_count;
	block = unit >> CFIC_BLOCK_BITS;
	first = head->start[block];
	end = head->start[block + 1];
	row = first + cfic_count_at_most_u8(memory, units + first, 1, end - first, unit) - 1;
	return CFIC_U16(memory, rules + 2 * row);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookup inside one page record: from a pc unit to a rule number. Compiled natively and, later, for BPF.
 *
 * None of these checks what `cfic verify` proves: a caller passes records of verified tables only.
 */
#ifndef CFIC_LOOKUP_H
#define CFIC_LOOKUP_H

#include "inline.h"
#include "table.h"

/* Halvings that find one of 256 answers: the bound of every search below. */
#define CFIC_SEARCH_STEPS 8

/*
 * How many of the `count` strictly rising bytes at `first` are <= low; at most 256 of them, being the rows of
 * one block. 256 rising bytes are 0..255 themselves; fewer have at most 256 answers, so 8 halvings find it.
 */
CFIC_INLINE __u32 cfic_count_at_most_u8(const __u8 *first, __u32 count, __u8 low)
{
	__u32 below = 0;

	if (count >= CFIC_BLOCK_UNITS)
		return (__u32)low + 1;
	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && count > 0; step++) {
		__u32 half = count >> 1;
		if (first[below + half] <= low) {
			below += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return below;
}

/* The same for at most 255 units. */
CFIC_INLINE __u32 cfic_count_at_most_u16(const __u16 *first, __u32 count, __u16 unit)
{
	__u32 below = 0;

	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && count > 0; step++) {
		__u32 half = count >> 1;
		if (first[below + half] <= unit) {
			below += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return below;
}

/*
 * The rule number at `unit` (0..65535) of a sparse record. Row 0 is at unit 0 and needs no search, which
 * leaves at most 255.
 */
CFIC_INLINE __u32 cfic_sparse_lookup(const struct cfic_sparse *record, __u32 unit)
{
	const __u16 *palette = (const __u16 *)(record + 1);
	const __u16 *units = palette + record->palette_count;
	const __u8 *rules = (const __u8 *)(units + record->row_count);
	__u32 row = cfic_count_at_most_u16(units + 1, record->row_count - 1, unit);
	return record->palette_count ? palette[rules[row]] : rules[row];
}

/* The rule number at `unit` (0..65535) of a dense record. */
CFIC_INLINE __u32 cfic_dense_lookup(const struct cfic_dense *record, __u32 unit)
{
	const __u16 *palette = (const __u16 *)(record + 1);
	const __u8 *units = (const __u8 *)(palette + record->palette_count);
	const __u8 *rules = units + record->row_count;
	__u32 block = unit >> CFIC_BLOCK_BITS;
	__u32 first = record->base[block >> CFIC_GROUP_BITS] + record->start[block];
	__u32 end = record->base[(block + 1) >> CFIC_GROUP_BITS] + record->start[block + 1];
	/* Block 0 has a row at unit 0: rows before the block's first answer for its beginning. */
	__u32 row = first + cfic_count_at_most_u8(units + first, end - first, unit) - 1;
	return record->palette_count ? palette[rules[row]] : rules[row];
}

/* The rule number at `unit` (0..16383) of a quarter record. */
CFIC_INLINE __u32 cfic_quarter_lookup(const struct cfic_quarter *record, __u32 unit)
{
	const __u16 *rules = (const __u16 *)(record + 1);
	const __u8 *units = (const __u8 *)(rules + record->row_count);
	__u32 block = unit >> CFIC_BLOCK_BITS;
	__u32 first = record->start[block];
	__u32 end = record->start[block + 1];
	__u32 row = first + cfic_count_at_most_u8(units + first, end - first, unit) - 1;
	return rules[row];
}

#endif

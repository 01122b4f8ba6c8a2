/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookup inside one page record: from a pc unit to a rule number. Compiled natively and for BPF.
 *
 * A record is said as the memory that it lies in and its offset there. Who includes this may define, before:
 *
 *   CFIC_U8(memory, offset), CFIC_U16(memory, offset), CFIC_U64(memory, offset)   what stands there
 *
 * Kernel programs define them with a mask, which shows the verifier that they stay in their memory. None of these
 * functions checks what `cfic verify` proves: a caller passes records of verified tables only.
 */
#ifndef CFIC_LOOKUP_H
#define CFIC_LOOKUP_H

#include "inline.h"
#include "table.h"

#ifndef CFIC_U8
#define CFIC_U8(memory, offset) (((const __u8 *)(memory))[offset])
#define CFIC_U16(memory, offset) (*(const __u16 *)((const __u8 *)(memory) + (offset)))
#define CFIC_U64(memory, offset) (*(const __u64 *)((const __u8 *)(memory) + (offset)))
#endif

#define CFIC_OFFSET(type, field) ((__u32)__builtin_offsetof(type, field))

/* Halvings that find one of 256 answers: the bound of every search below. */
#define CFIC_SEARCH_STEPS 8

/*
 * How many of the `count` strictly rising bytes at `first` are <= low; at most 256 of them, being the rows of
 * one block. 256 rising bytes are 0..255 themselves; fewer have at most 256 answers, so 8 halvings find it.
 */
CFIC_INLINE __u32 cfic_count_at_most_u8(const void *memory, __u32 first, __u32 count, __u8 low)
{
	__u32 below = 0;

	if (count >= CFIC_BLOCK_UNITS)
		return (__u32)low + 1;
	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && count > 0; step++) {
		__u32 half = count >> 1;
		if (CFIC_U8(memory, first + below + half) <= low) {
			below += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return below;
}

/* The same for at most 255 units. */
CFIC_INLINE __u32 cfic_count_at_most_u16(const void *memory, __u32 first, __u32 count, __u16 unit)
{
	__u32 below = 0;

	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && count > 0; step++) {
		__u32 half = count >> 1;
		if (CFIC_U16(memory, first + 2 * (below + half)) <= unit) {
			below += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return below;
}

/* The same for at most 255 addresses. */
CFIC_INLINE __u32 cfic_count_at_most_u64(const void *memory, __u32 first, __u32 count, __u64 address)
{
	__u32 below = 0;

	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && count > 0; step++) {
		__u32 half = count >> 1;
		if (CFIC_U64(memory, first + 8 * (below + half)) <= address) {
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
CFIC_INLINE __u32 cfic_sparse_lookup(const void *memory, __u32 record, __u32 unit)
{
	__u32 rows = CFIC_U16(memory, record + CFIC_OFFSET(struct cfic_sparse, row_count));
	__u32 palette_count = CFIC_U16(memory, record + CFIC_OFFSET(struct cfic_sparse, palette_count));
	__u32 palette = record + sizeof(struct cfic_sparse);
	__u32 units = palette + 2 * palette_count;
	__u32 row = cfic_count_at_most_u16(memory, units + 2, rows - 1, unit);
	__u32 code = CFIC_U8(memory, units + 2 * rows + row);

	return palette_count ? CFIC_U16(memory, palette + 2 * code) : code;
}

/* The rule number at `unit` (0..65535) of a dense record. */
CFIC_INLINE __u32 cfic_dense_lookup(const void *memory, __u32 record, __u32 unit)
{
	__u32 rows = CFIC_U16(memory, record + CFIC_OFFSET(struct cfic_dense, row_count));
	__u32 palette_count = CFIC_U16(memory, record + CFIC_OFFSET(struct cfic_dense, palette_count));
	__u32 base = record + CFIC_OFFSET(struct cfic_dense, base);
	__u32 start = record + CFIC_OFFSET(struct cfic_dense, start);
	__u32 palette = record + sizeof(struct cfic_dense);
	__u32 units = palette + 2 * palette_count;
	__u32 block = unit >> CFIC_BLOCK_BITS;
	__u32 first = CFIC_U16(memory, base + 2 * (block >> CFIC_GROUP_BITS)) + CFIC_U8(memory, start + block);
	__u32 end = CFIC_U16(memory, base + 2 * ((block + 1) >> CFIC_GROUP_BITS)) + CFIC_U8(memory, start + block + 1);
	/* Block 0 has a row at unit 0: rows before the block's first answer for its beginning. */
	__u32 row = first + cfic_count_at_most_u8(memory, units + first, end - first, unit) - 1;
	__u32 code = CFIC_U8(memory, units + rows + row);

	return palette_count ? CFIC_U16(memory, palette + 2 * code) : code;
}

/* The rule number at `unit` (0..16383) of a quarter record. */
CFIC_INLINE __u32 cfic_quarter_lookup(const void *memory, __u32 record, __u32 unit)
{
	__u32 rows = CFIC_U16(memory, record + CFIC_OFFSET(struct cfic_quarter, row_count));
	__u32 start = record + CFIC_OFFSET(struct cfic_quarter, start);
	__u32 rules = record + sizeof(struct cfic_quarter);
	__u32 units = rules + 2 * rows;
	__u32 block = unit >> CFIC_BLOCK_BITS;
	__u32 first = CFIC_U16(memory, start + 2 * block);
	__u32 end = CFIC_U16(memory, start + 2 * block + 2);
	__u32 row = first + cfic_count_at_most_u8(memory, units + first, end - first, unit) - 1;

	return CFIC_U16(memory, rules + 2 * row);
}

#endif

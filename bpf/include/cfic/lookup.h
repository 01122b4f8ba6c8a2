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

/*
 * Other compilers than clang warn of what they don't know; they need not do it. Kernel programs have no conditional
 * moves: what a compiler makes a choice of comes out as two branches, so that one branch is better.
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
 * Binary search among `count` rising values, at most 255, which stand `stride` bytes apart from offset `at` on: moves `at`
 * behind the last one that is <= limit. `count` is used up. The bound is for the kernel's verifier, which does not see
 * that halving comes to an end.
 */
#define CFIC_SEARCH(LOAD, memory, at, stride, count, limit)                                                  \
	CFIC_UNROLL                                                                                          \
	for (__u32 step = 0; step < CFIC_SEARCH_STEPS && (count) > 0; step++) {                              \
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
 * The same for `count` rows of one block, of which there are 256 at most, by their units: strictly rising bytes. Returns
 * what comes of `at`.
 */
CFIC_INLINE __u32 cfic_search_block(const void *memory, __u32 at, __u32 stride, __u32 count, __u8 low)
{
	/* 256 rising bytes are 0..255 themselves. */
	if (count > 255)
		return at + stride * ((__u32)low + 1);
	CFIC_SEARCH(CFIC_U8, memory, at, stride, count, low)
	return at;
}

/*
 * The rule number at `unit` (0..65535) of a sparse record. Row 0 is at unit 0 and needs no search, which
 * leaves at most 255.
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
	CFIC_SEARCH(CFIC_U16, memory, at, 2, count, unit)
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
	/* Block 0 has a row at unit 0: the row before the block's first answers for its beginning. */
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

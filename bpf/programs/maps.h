/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps, the state of a walk, and how the headers of include/cfic/ reach memory. */
#ifndef CFIC_PROGRAM_MAPS_H
#define CFIC_PROGRAM_MAPS_H

#include "cfic/batch.h"
#include "cfic/elements.h"
#include "cfic/frame.h"
#include "cfic/sample.h"

/* Masks keep what is read in its element, and show the verifier so; of a proved table they change nothing. */
#define CFIC_U8(memory, offset) (*(const __u8 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 1))))
#define CFIC_U16(memory, offset) (*(const __u16 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 2))))
#define CFIC_U32(memory, offset) (*(const __u32 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 4))))
#define CFIC_U64(memory, offset) (*(const __u64 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 8))))
#define CFIC_OFFSET(type, field) ((__u32)__builtin_offsetof(type, field))

/* One check for all of a head, instead of a mask for each of its fields. */
#define CFIC_HEAD(memory, offset, type)                                                                      \
	((offset) <= CFIC_ELEMENT_SIZE - sizeof(type) ? (const type *)((const __u8 *)(memory) + (offset)) : 0)

#include "cfic/lookup.h"

volatile const struct cfic_settings settings SEC(".rodata.settings");

/* Equal sizes: lookups in them are inlined, and Linux 5.10 takes no others. */
struct element {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, CFIC_ELEMENT_SIZE);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, CFIC_ELEMENTS_MAX);
	__type(key, __u32);
	__array(values, struct element);
} element_maps SEC(".maps");

/* Process id, as the initial pid namespace has it, to the place of its struct cfic_process, or 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cfic_counters);
} counters SEC(".maps");

/* Bytes of the stack that are read at once: one call of the helper costs as much as several lookups. */
#define WINDOW_SIZE 512
#define FRAMES_MAX (CFIC_KERNEL_FRAMES_MAX + 1 + CFIC_FRAMES_MAX)

/*
 * Rules that were found last, by where they hold: stacks go through the same places over and over. Ranges' numbers are
 * never used twice, so that nothing here is ever out of date.
 */
#define RECENT_RULES 512

struct recent_rule {
	__u64 bytes;             /* from the start of the range                                         */
	__u32 range;             /* its number; 0: nothing here                                         */
	struct cfic_rule rule;
};

/* The state of a walk. Not on the stack, which has 512 bytes; and functions verified on their own find it here. */
struct walk {
	struct cfic_frame frame;
	struct cfic_rule rule;
	__u32 process;           /* place of the process                                                */
	/* Of the mapping where the last frame stood: */
	__u64 mapping_start;
	__u64 mapping_size;      /* 0: there is none yet                                                */
	__u64 page_offset;       /* of its start from that of the range of its table, in bytes          */
	struct cfic_loaded_range range; /* page_count 0: no table                                       */
	/* What was read of the stack: */
	__u64 window_start;
	__u64 window_words;      /* offsets at which a word stands in it; 0: nothing was read           */
	__u64 window[WINDOW_SIZE / 8 + 1]; /* the last word is not used: it is there for the mask       */
	/* Counted here, and added to the counters at the end: */
	__u32 mapping_lookups;
	__u32 stack_reads;
	__u32 other_reads;
	__u32 guesses;           /* frames whose caller no rule leads to                                */
	__u32 frame_count;       /* of frames[], kernel frames among them                               */
	__u32 frame_limit;
	struct recent_rule recent[RECENT_RULES];
	struct cfic_sample sample;
	__u64 frames[FRAMES_MAX]; /* right behind the sample: they are given out together                */
};

_Static_assert(__builtin_offsetof(struct walk, frames) - __builtin_offsetof(struct walk, sample)
	== sizeof(struct cfic_sample), "frames follow the sample");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cfic_batch);
} batches SEC(".maps");

static __always_inline struct walk *this_walk(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walks, &zero);
}

/* The element that a place is in; null if there is none. */
static __always_inline const void *element(__u32 place)
{
	__u32 number = place >> CFIC_ELEMENT_WORD_BITS, zero = 0;
	void *map = bpf_map_lookup_elem(&element_maps, &number);

	return map ? bpf_map_lookup_elem(map, &zero) : 0;
}

/* The same where the element of another place is at hand: most of a table stands in one. */
static __always_inline const void *element_near(const void *memory, __u32 other, __u32 place)
{
	return (place ^ other) >> CFIC_ELEMENT_WORD_BITS ? element(place) : memory;
}

/* Where in its element a place is, in bytes. */
static __always_inline __u32 offset(__u32 place)
{
	return (place & (CFIC_ELEMENT_WORDS - 1)) * 4;
}

#endif

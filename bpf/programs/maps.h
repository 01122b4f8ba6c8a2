/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* BPF maps, the state of a walk, and the memory accesses of the headers in include/cfic/. */
#ifndef CFIC_PROGRAM_MAPS_H
#define CFIC_PROGRAM_MAPS_H

#include "cfic/batch.h"
#include "cfic/elements.h"
#include "cfic/frame.h"
#include "cfic/sample.h"

/* Masks keep reads within their element and show the verifier that they are. For a proved table they change nothing. */
#define CFIC_U8(memory, offset) (*(const __u8 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 1))))
#define CFIC_U16(memory, offset) (*(const __u16 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 2))))
#define CFIC_U32(memory, offset) (*(const __u32 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 4))))
#define CFIC_U64(memory, offset) (*(const __u64 *)((const __u8 *)(memory) + ((offset) & (CFIC_ELEMENT_SIZE - 8))))
/* A mask would align it. */
#define CFIC_UNALIGNED_U64(memory, offset)                                                                   \
	({                                                                                                   \
		__u32 at_ = (offset);                                                                        \
		at_ <= CFIC_ELEMENT_SIZE - 8 ? *(const __u64 *)((const __u8 *)(memory) + at_) : 0;           \
	})
/* Calls the function of a machine, which is a constant wherever this is expanded. */
#define OF_MACHINE(e_machine, function, ...) \
	((e_machine) == CFIC_MACHINE_AARCH64 ? function##_aarch64(__VA_ARGS__) : function##_x86_64(__VA_ARGS__))
#define CFIC_OFFSET(type, field) ((__u32)__builtin_offsetof(type, field))

/* One check for a whole head, instead of a mask for each of its fields. */
#define CFIC_HEAD(memory, offset, type)                                                                      \
	((offset) <= CFIC_ELEMENT_SIZE - sizeof(type) ? (const type *)((const __u8 *)(memory) + (offset)) : 0)

#include "cfic/lookup.h"
#include "cfic/short_rule.h"

volatile const struct cfic_settings settings SEC(".rodata.settings");

/* All have the same size, so that lookups are inlined; Linux 5.10 requires it. */
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

/* By process id in the initial pid namespace: the place of its struct cfic_process, or 0 (cfic/elements.h). */
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

/* Too small for any snapshot: a loader that wants some makes it larger. The size suits all sizes of memory pages. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} snapshots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cfic_counters);
} counters SEC(".maps");

/* The filters' threads, by id in the initial pid namespace; names of threads, padded with zeros; and the cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} wanted_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, char[16]);
	__type(value, __u8);
} wanted_commands SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wanted_cgroup SEC(".maps");

/* The hits of a tracepoint since the last one that was sampled. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

/* Threads that wait, of those whose waits were sampled: when the wait began. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} waits SEC(".maps");

/*
 * How many of these threads have an id that is the same modulo the size. At almost every switch it is 0, and finding that
 * costs much less than a search for the thread.
 */
#define WAIT_HINTS 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WAIT_HINTS);
	__type(key, __u32);
	__type(value, __u32);
} wait_hints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cfic_wait_share);
} wait_share SEC(".maps");

/* The samples of waits that a CPU took in a round, and how it draws the next. */
struct wait_round {
	__u32 round;
	__u32 taken;
	__u32 shift;             /* by which it shifts the threshold                                    */
	__u32 random;            /* the state of its random numbers; 0: none yet                        */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wait_round);
} wait_rounds SEC(".maps");

/* Bytes of the stack that are read at once, because one call of the helper costs as much as several lookups. */
#define WINDOW_SIZE 512
#define FRAMES_MAX (CFIC_KERNEL_FRAMES_MAX + 1 + CFIC_FRAMES_MAX)

/*
 * A cache of recently found rules by address, because stacks contain the same addresses again and again. Numbers of
 * ranges are never reused, so entries are never out of date. While a build runs, 10 to 18 % of the frames are not in it;
 * with 512 rules it was 26 to 30 %.
 */
#define RECENT_RULES_BITS 12
#define RECENT_RULES (1 << RECENT_RULES_BITS)

struct recent_rule {
	__u64 bytes;             /* from the start of the range                                         */
	__u32 range;             /* the range's number; 0: empty                                        */
	struct cfic_rule rule;
};

/*
 * By CPU: the loader gives it as many entries. It is not a per-CPU array, because values of those have at most 32 KiB,
 * and older kernels look them up by a call.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct recent_rule[RECENT_RULES]);
} recent_rules SEC(".maps");

/*
 * The state of a walk. It is in a map because a BPF stack has only 512 bytes, and because functions that are verified
 * on their own can't take pointers to it.
 */
struct walk {
	struct cfic_frame frame;
	struct cfic_rule rule;
	__u32 process;           /* place of the process; 0: its mappings are not known                 */
	/* The mapping of the last frame: */
	__u64 mapping_start;
	__u64 mapping_size;      /* 0: none yet                                                         */
	__u64 page_offset;       /* its start's SVMA - the start of its table's range, in bytes         */
	struct cfic_loaded_range range; /* page_count 0: no table                                       */
	enum cfic_step without_table;   /* how the walk ends if there is none                           */
	/* The part of the stack that was read last: */
	__u64 window_start;
	__u64 window_words;      /* number of offsets where a whole word fits; 0: nothing was read      */
	__u64 window[WINDOW_SIZE / 8 + 1]; /* the last word is unused, but in reach of read_word's mask */
	/* Counts that are added to the counters at the end: */
	__u32 mapping_lookups;
	__u32 stack_reads;
	__u32 other_reads;
	__u32 guesses;           /* frames whose callers were guessed                                   */
	__u32 inferred;          /* frames that inferred rules led to, and not guesses                  */
	__u32 frame_count;       /* used elements of frames[], including kernel frames                  */
	__u32 frame_limit;
	__u32 walks;             /* since the last snapshot                                             */
	__u64 first_registers[CFIC_REGISTER_MASK + 1]; /* of the innermost frame, for a snapshot        */
	__u64 first_pc;
	struct cfic_sample sample;
	__u64 frames[FRAMES_MAX]; /* directly after the sample, because they are output together         */
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

/* The element that contains a place; null if there is none. */
static __always_inline const void *element(__u32 place)
{
	__u32 number = place >> CFIC_ELEMENT_WORD_BITS, zero = 0;
	void *map = bpf_map_lookup_elem(&element_maps, &number);

	return map ? bpf_map_lookup_elem(map, &zero) : 0;
}

/* The same, but reuses `memory`, the element of place `other`, if it is the same element, as for most of a table. */
static __always_inline const void *element_near(const void *memory, __u32 other, __u32 place)
{
	return (place ^ other) >> CFIC_ELEMENT_WORD_BITS ? element(place) : memory;
}

/* The offset of a place in its element, in bytes. */
static __always_inline __u32 offset(__u32 place)
{
	return (place & (CFIC_ELEMENT_WORDS - 1)) * 4;
}

#endif

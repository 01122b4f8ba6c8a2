/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel programs are told, count and give out. */
#ifndef CFIC_SAMPLE_H
#define CFIC_SAMPLE_H

#include <linux/types.h>

#include "frame.h"
#include "steps.h"

/* Constants of the programs, from before they are loaded. */
struct cfic_settings {
	__u64 address_bits;  /* of a signed return address, those that are the address; all where none is signed */
	__u32 frames_max;    /* user frames of a sample: 1 to CFIC_FRAMES_MAX                           */
	__u32 kernel_frames; /* whether to give out kernel frames                                       */
	__u32 kernel_stack;  /* bytes of a task's kernel stack: needed before Linux 5.15 only           */
	__u32 follow;        /* whether new processes of listed ones are listed, too                    */
};

#define CFIC_KERNEL_FRAMES_MAX 127

/* Marks of a sample's user frames, above what an address can have. */
#define CFIC_SAMPLE_EXACT (1ull << 63)   /* the pc is where the frame stands, not a return address           */
#define CFIC_SAMPLE_GUESSED (1ull << 62) /* found without a rule, or by a frame that was                     */
#define CFIC_SAMPLE_UNCHECKED (1ull << 61) /* and the code that would speak for the guess could not be read  */
/* What is left is the address; its highest bit stands for those above, which are set of the vsyscall page alone. */
#define CFIC_SAMPLE_ADDRESS (CFIC_SAMPLE_UNCHECKED - 1)

/* A sample, in the ring buffer; followed by `kernel_count` and then `user_count` pcs (u64), innermost first. */
struct cfic_sample {
	__u64 time;          /* ns, CLOCK_MONOTONIC                                                     */
	__u32 process;       /* in the initial pid namespace                                            */
	__u32 thread;
	__u32 cpu;
	__u16 kernel_count;
	__u16 user_count;
	__u16 guessed_count; /* of the user frames, those with CFIC_SAMPLE_GUESSED                      */
	__u8 end;            /* enum cfic_step: how the walk ended                                      */
	__u8 reason;         /* enum cfic_reason where end is CFIC_STEP_NO_RULE                         */
	__u32 mappings;      /* number of the struct cfic_process that it was unwound by; 0: of none        */
	char command[16];    /* of the thread; ends with a zero if it is shorter                        */
};

/* Counters, one set a CPU; they only rise. */
struct cfic_counters {
	__u64 samples;
	__u64 lost;            /* samples for which the ring buffer had no room                         */
	__u64 kernel_frames;
	__u64 user_frames;
	__u64 guessed_frames;  /* of the user frames                                                    */
	__u64 complete;        /* stacks that rules alone led to the outermost frame                    */
	__u64 guessed;         /* stacks that reach the outermost frame in part by guesses              */
	__u64 lookups;         /* that gave a rule                                                      */
	__u64 mapping_lookups; /* of the mapping, where it is not that of the frame before              */
	__u64 stack_reads;     /* of windows of the stack                                               */
	__u64 other_reads;     /* of single words, and of whole signal frames                           */
	__u64 ends[32];        /* by enum cfic_step                                                     */
};

_Static_assert(sizeof(struct cfic_settings) == 24, "layout");
_Static_assert(sizeof(struct cfic_sample) == 48, "layout");
_Static_assert(sizeof(struct cfic_counters) == 43 * 8, "layout");
_Static_assert(CFIC_STEP_COUNT <= 32, "every end has its counter");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The BPF programs' settings, counters and samples. */
#ifndef CFIC_SAMPLE_H
#define CFIC_SAMPLE_H

#include <linux/types.h>

#include "frame.h"
#include "steps.h"

/* Constants of the BPF programs, set before they are loaded. */
struct cfic_settings {
	__u64 address_bits;  /* mask for the address in a signed return address; all ones if none is signed     */
	__u32 frames_max;    /* the most user frames of a sample: 1 to CFIC_FRAMES_MAX                  */
	__u32 kernel_frames; /* whether samples include kernel frames                                   */
	__u32 kernel_stack;  /* size of a task's kernel stack; only needed before Linux 5.15            */
	__u32 follow;        /* whether children of listed processes are listed, too                    */
	__u32 everyone;      /* whether processes that are not listed are sampled, too, and kernel threads */
	__u32 filters;       /* CFIC_FILTER_*: only threads that pass all of them are sampled           */
	__u32 snapshot_every; /* N: every Nth walk on each CPU comes with a snapshot; 0: none           */
	__u32 snapshot_ends; /* walks that end so come with one, too: bit N for the enum cfic_step N    */
	__u64 wait_minimum;  /* ns: shorter waits are not given out                                     */
	__u32 wait_budget;   /* samples of waits of a CPU and a round, after which its share falls; 0: never */
	__u32 tracepoint_period; /* N: each Nth hit of a tracepoint on each CPU is sampled, of those to be sampled */
};

#define CFIC_FILTER_THREADS 0x1  /* its id is in the map wanted_threads                                */
#define CFIC_FILTER_COMMANDS 0x2 /* its name is in the map wanted_commands                             */
#define CFIC_FILTER_CGROUPS 0x4  /* it is in the cgroup in the map wanted_cgroup, or in one below it   */

#define CFIC_KERNEL_FRAMES_MAX 127

/* Marks of a sample's user frames, in bits that addresses don't use. */
#define CFIC_SAMPLE_EXACT (1ull << 63)   /* the pc is the current instruction, not a return address          */
#define CFIC_SAMPLE_GUESSED (1ull << 62) /* the frame, or a callee that led to it, is a guess                */
#define CFIC_SAMPLE_UNCHECKED (1ull << 61) /* and the code that would confirm the guess could not be read    */
#define CFIC_SAMPLE_INFERRED (1ull << 60) /* the rule that led to the frame, its callee's, is inferred       */
/*
 * The remaining bits are the address. Its highest bit is also the value of the bits above: only the vsyscall page's
 * addresses have them set.
 */
#define CFIC_SAMPLE_ADDRESS (CFIC_SAMPLE_INFERRED - 1)

/* A sample in the ring buffer. `kernel_count` and then `user_count` pcs (u64) follow, innermost first. */
struct cfic_sample {
	__u64 time;          /* ns, CLOCK_MONOTONIC: now; of a wait, when it began                      */
	__u64 share;         /* 2^32 times the share of waits that were sampled then; 0: the thread was running */
	__u64 cgroup;        /* id of its cgroup (version 2): the inode of its directory                */
	__u32 process;       /* in the initial pid namespace                                            */
	__u32 thread;
	__u32 cpu;
	__u16 kernel_count;
	__u16 user_count;
	__u16 guessed_count; /* number of user frames with CFIC_SAMPLE_GUESSED                          */
	__u8 end;            /* enum cfic_step: how the walk ended                                      */
	__u8 reason;         /* enum cfic_reason if end is CFIC_STEP_NO_RULE                            */
	__u32 mappings;      /* number of the struct cfic_process used for unwinding; 0: none was used  */
	char command[16];    /* the thread's name; ends with a zero if it is shorter                    */
};

/* The bytes of memory in a snapshot: 64 KiB from the stack pointer on, and the rest of its page and red zone. */
#define CFIC_SNAPSHOT_CHUNK 4096
#define CFIC_SNAPSHOT_CHUNKS 17
#define CFIC_SNAPSHOT_MEMORY (CFIC_SNAPSHOT_CHUNKS * CFIC_SNAPSHOT_CHUNK)

/*
 * What a walk began with, in the ring buffer of snapshots: the registers of user code, and the top of its stack, which
 * follows. It is there before its sample is. Memory is read in chunks; those that can't be read, such as memory pages of
 * a large array that nobody touched yet, are undefined.
 */
struct cfic_snapshot {
	__u64 time;          /* the sample's, and likewise the following two                            */
	__u32 thread;
	__u32 cpu;
	__u64 start;         /* address of the first byte of memory, a multiple of CFIC_SNAPSHOT_CHUNK  */
	__u32 chunks;        /* bit N is set if chunk N was read                                        */
	__u32 reserved;
	__u64 stack_start;   /* the stack pointer when the process's program began                      */
	__u64 pc;
	__u64 registers[CFIC_REGISTER_MASK + 1]; /* by DWARF number                                     */
};

/*
 * The end of a wait whose sample was given out before, in the same ring buffer: the thread runs again. Of the waits that
 * began with a share, each stands for its length divided by the share. A record of this size is not a sample.
 */
struct cfic_wait {
	__u64 began;         /* the sample's time                                                       */
	__u64 waited;        /* ns                                                                      */
	__u32 thread;        /* the sample's thread                                                     */
	__u32 unused;
};

/*
 * The share of waits that is sampled, set by user space at the beginning of each round, a fraction of a second. So that
 * a burst costs little, each CPU quarters it for the rest of the round after each `wait_budget` samples.
 */
struct cfic_wait_share {
	__u32 round;
	__u32 threshold;     /* a wait is sampled if a random number is not above it: share * 2^32 - 1  */
};

#define CFIC_WAIT_SHARE_BITS 2 /* by which a CPU shifts the threshold after each budget               */

/* Counters, one set per CPU. They never decrease. */
struct cfic_counters {
	__u64 samples;
	__u64 lost;            /* samples for which the ring buffer had no room                         */
	__u64 kernel_frames;
	__u64 user_frames;
	__u64 guessed_frames;  /* of the user frames                                                    */
	__u64 inferred_frames; /* of the user frames: found by inferred rules, and not by way of a guess */
	__u64 complete;        /* stacks whose outermost frame was reached only by rules                */
	__u64 guessed;         /* stacks whose outermost frame was reached by guesses, too              */
	__u64 lookups;         /* lookups of rules                                                      */
	__u64 mapping_lookups; /* lookups of mappings: for frames in another mapping than the last one  */
	__u64 stack_reads;     /* reads of windows of the stack                                         */
	__u64 other_reads;     /* reads of single words and of signal frames                            */
	__u64 snapshots;       /* snapshots that were given out                                         */
	__u64 lost_snapshots;  /* snapshots for which the ring buffer had no room                       */
	__u64 unlisted;        /* new processes for which the map of processes had no room             */
	__u64 ends[32];        /* by enum cfic_step                                                     */
};

CFIC_STATIC_ASSERT(sizeof(struct cfic_settings) == 56, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_sample) == 64, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_snapshot) == 304, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_wait) == 24, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_wait) < sizeof(struct cfic_sample), "the size tells them apart");
CFIC_STATIC_ASSERT(sizeof(struct cfic_wait_share) == 8, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_counters) == 47 * 8, "layout");
CFIC_STATIC_ASSERT(CFIC_STEP_COUNT <= 32, "every end has its counter");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookups and walks that user space requests through BPF_PROG_TEST_RUN: for tests, for benchmarks, and to check that a
 * kernel runs the BPF programs. They are raw tracepoint programs, which are never attached, because BPF_PROG_TEST_RUN
 * can't run perf_event programs.
 */
#ifndef CFIC_BATCH_H
#define CFIC_BATCH_H

#include "frame.h"
#include "sample.h"

#define CFIC_BATCH_LOOKUPS 1024
#define CFIC_BATCH_WALKS 64

/* Flags of cfic_batch.what. */
#define CFIC_BATCH_EMPTY 0x1 /* skip the lookups, to measure the rest of the loop                            */
#define CFIC_BATCH_CHAIN 0x2 /* make each pc depend on the previous rule                                     */

struct cfic_batch {
	__u32 process;                            /* process id, in the map of processes                */
	__u32 count;                              /* of lookups, up to CFIC_BATCH_LOOKUPS, or of        */
						  /* equal walks, up to CFIC_BATCH_WALKS                */
	__u32 what;                               /* CFIC_BATCH_*                                       */
	__u32 reserved;
	__u64 pcs[CFIC_BATCH_LOOKUPS];            /* AVMAs to look up, without subtracting 1            */
	struct cfic_rule rules[CFIC_BATCH_LOOKUPS];
	__u8 steps[CFIC_BATCH_LOOKUPS];           /* enum cfic_step: CFIC_STEP_CALLER if a rule was found */
	/* A walk's innermost frame. Walks read the memory of the thread that runs the BPF program. */
	__u64 registers[CFIC_REGISTER_MASK + 1];  /* by DWARF number                                    */
	__u64 pc;
	struct cfic_sample sample;                /* the last walk's                                    */
	__u64 frames[CFIC_FRAMES_MAX];
};

#endif

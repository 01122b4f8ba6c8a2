/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookups and walks asked for by user space through BPF_PROG_TEST_RUN, which perf_event programs can't be run by: for
 * tests, benchmarks, and to try a kernel out. The programs are raw tracepoints that nothing is attached to.
 */
#ifndef CFIC_BATCH_H
#define CFIC_BATCH_H

#include "frame.h"
#include "sample.h"

#define CFIC_BATCH_LOOKUPS 1024
#define CFIC_BATCH_WALKS 64

/* What cfic_batch.what asks for besides the lookups themselves. */
#define CFIC_BATCH_EMPTY 0x1 /* everything but the lookups: what the loop costs                              */
#define CFIC_BATCH_CHAIN 0x2 /* each pc waits for the rule before it                                         */

struct cfic_batch {
	__u32 process;                            /* in the map of processes                            */
	__u32 count;                              /* of lookups, to CFIC_BATCH_LOOKUPS; of walks, which */
						  /* are the same each time, to CFIC_BATCH_WALKS        */
	__u32 what;                               /* CFIC_BATCH_*                                       */
	__u32 reserved;
	__u64 pcs[CFIC_BATCH_LOOKUPS];            /* AVMAs, looked up as they are                       */
	struct cfic_rule rules[CFIC_BATCH_LOOKUPS];
	__u8 steps[CFIC_BATCH_LOOKUPS];           /* enum cfic_step: CFIC_STEP_CALLER where a rule was found */
	/* A walk's innermost frame: of the thread that runs the program, whose memory is read. */
	__u64 registers[CFIC_REGISTER_MASK + 1];  /* by DWARF number                                    */
	__u64 pc;
	struct cfic_sample sample;                /* of the last walk                                   */
	__u64 frames[CFIC_FRAMES_MAX];
};

#endif

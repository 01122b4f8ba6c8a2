/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables and processes as they stand in the kernel: in elements of 4 MiB, each the only value of a BPF_F_MMAPABLE array
 * map, behind one array of maps. A loader fills them through their mapping. Zeroed memory says nothing: no table, no
 * mapping, rule 0.
 *
 * A *place* is a 4-byte word of it, counted through all elements; 0 is none. What stands here lies within one element,
 * but for the directories of very large tables.
 *
 * An element is as large as the value of a map can be (KMALLOC_MAX_SIZE, of usual kernels 4 MiB or more), because finding
 * one takes a kernel program some 30 instructions: of most tables, a lookup finds one.
 */
#ifndef CFIC_ELEMENTS_H
#define CFIC_ELEMENTS_H

#include <linux/types.h>

#include "table.h"

#define CFIC_ELEMENT_BITS 22
#define CFIC_ELEMENT_SIZE (1u << CFIC_ELEMENT_BITS)
#define CFIC_ELEMENT_WORD_BITS (CFIC_ELEMENT_BITS - 2)
#define CFIC_ELEMENT_WORDS (1u << CFIC_ELEMENT_WORD_BITS)
#define CFIC_ELEMENTS_MAX 1024 /* 2^30 words: what a directory entry can point to                   */

/*
 * Directory entries are those of the file (table.h), but for the places of records, which are those here; and so are the
 * places in struct cfic_quarters. Records, rules and operations are the file's, byte for byte.
 */
#define CFIC_RULE_WORDS (sizeof(struct cfic_rule) / 4)
#define CFIC_OPERATION_WORDS (sizeof(struct cfic_op) / 4)

/* A range of a table (struct cfic_range): what a mapping points to. At a multiple of its size. */
struct cfic_loaded_range {
	__u64 start;           /* SVMA of its first page                                               */
	__u32 page_count;      /* 0: taken back                                                         */
	__u32 directory;       /* place of the first page's entry                                       */
	__u32 rules;           /* place                                                                 */
	__u32 operations;      /* place, even                                                           */
	__u32 operation_count;
	__u32 number;          /* 1 and up: not that of any other range that was ever loaded            */
};

/* What is mapped executable in a process. */
struct cfic_mapping {
	__u64 end;             /* AVMA behind it                                                        */
	__u64 bias;            /* AVMA - SVMA                                                           */
	__u32 range;           /* place of its struct cfic_loaded_range; 0: no table, go by frame pointer */
	__u32 reserved;
};

/*
 * Mappings of a process by rising address, in groups: u32 count, u32 zero, u64 start[count] (AVMAs), struct
 * cfic_mapping[count]. At a multiple of 8 bytes.
 */
#define CFIC_GROUP_MAPPINGS 128
#define CFIC_PROCESS_GROUPS 64
#define CFIC_GROUP_HEAD 8
#define CFIC_GROUP_SIZE(count) (CFIC_GROUP_HEAD + (count) * (8 + sizeof(struct cfic_mapping)))

/*
 * A process: the value of its id in the map of processes is the place of this, at a multiple of 8 bytes; or 0 while what
 * it maps is not known.
 */
struct cfic_process {
	__u32 group_count;
	__u32 number; /* 1 and up: not that of what any process ever mapped otherwise                   */
	__u64 start[CFIC_PROCESS_GROUPS]; /* where each group's first mapping starts                    */
	__u32 group[CFIC_PROCESS_GROUPS]; /* place of the group                                         */
};

CFIC_STATIC_ASSERT(sizeof(struct cfic_loaded_range) == 32, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_mapping) == 24, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_process) == 776, "layout");
CFIC_STATIC_ASSERT(CFIC_GROUP_SIZE(CFIC_GROUP_MAPPINGS) <= CFIC_ELEMENT_SIZE, "a group fits an element");
CFIC_STATIC_ASSERT(CFIC_GROUP_MAPPINGS <= 255 && CFIC_PROCESS_GROUPS <= 255, "a search takes 8 steps");
CFIC_STATIC_ASSERT(CFIC_RULES_MAX * sizeof(struct cfic_rule) <= CFIC_ELEMENT_SIZE, "rules fit an element");
CFIC_STATIC_ASSERT(CFIC_EXPRESSIONS_MAX * sizeof(struct cfic_op) <= CFIC_ELEMENT_SIZE, "operations fit an element");

#endif

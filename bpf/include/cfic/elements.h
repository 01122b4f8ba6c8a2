/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables and mappings in kernel memory. The memory consists of elements of 4 MiB. Each element is the only value of a
 * BPF_F_MMAPABLE array map, and one array of maps contains all these maps. A loader fills them through its own mapping.
 * Zeroed memory is valid and empty: no table, no mapping, rule 0.
 *
 * A *place* is the index of a 4-byte word, counted through all elements: element << CFIC_ELEMENT_WORD_BITS | word.
 * Place 0 means none. Each structure is within one element, except the directories of very large tables.
 *
 * An element is as large as a map's value can be (KMALLOC_MAX_SIZE, 4 MiB or more in usual kernels), because finding
 * one takes a BPF program some 30 instructions. For most tables, a lookup finds only one.
 */
#ifndef CFIC_ELEMENTS_H
#define CFIC_ELEMENTS_H

#include <linux/types.h>

#include "table.h"

#define CFIC_ELEMENT_BITS 22
#define CFIC_ELEMENT_SIZE (1u << CFIC_ELEMENT_BITS)
#define CFIC_ELEMENT_WORD_BITS (CFIC_ELEMENT_BITS - 2)
#define CFIC_ELEMENT_WORDS (1u << CFIC_ELEMENT_WORD_BITS)
#define CFIC_ELEMENTS_MAX 1024 /* 2^30 words, as many as a directory entry can address              */

/*
 * Directory entries and struct cfic_quarters are as in the file (table.h), except that they contain places instead of
 * record offsets. Records, templates, rules and operations are copied from the file unchanged. After a record, its
 * element has at least CFIC_ELEMENT_SPARE more bytes, of whatever kind, so that BPF programs need check only once that
 * the most items of a block are within the element.
 */
#define CFIC_ELEMENT_SPARE 256u
#define CFIC_LONG_RULE_WORDS (sizeof(struct cfic_rule) / 4)
#define CFIC_OPERATION_WORDS (sizeof(struct cfic_op) / 4)

/*
 * A range of a table (struct cfic_range), which mappings refer to. Aligned to its size, a cache line. It stays where it
 * is when the rest of the table is evicted, so mappings needn't be published again, and counts who needs it.
 */
struct cfic_loaded_range {
	__u64 start;           /* SVMA of its first page                                               */
	__u32 page_count;      /* 0: the rest of the table is not in memory                             */
	__u32 directory;       /* place of the first page's entry                                       */
	__u32 templates;       /* place                                                                 */
	__u32 symbols;         /* the first template's, and the number of templates << 16                */
	__u32 rules;           /* place                                                                 */
	__u32 long_rules;      /* place                                                                 */
	__u32 operations;      /* place, even                                                           */
	__u32 operation_count;
	__u32 number;          /* 1 and up, unique among all ranges ever loaded                         */
	/*
	 * How often a walk came here from another mapping, modulo 2^32. BPF programs count it whether or not the table is
	 * there. It is not exact, because CPUs add without regard to each other.
	 */
	__u32 uses;
	__u32 unused[4];
};

/* An executable mapping of a process. */
struct cfic_mapping {
	__u64 end;             /* AVMA of its end (exclusive)                                           */
	__u64 bias;            /* AVMA - SVMA                                                           */
	__u32 range;           /* place of its struct cfic_loaded_range; 0: no table, so guess         */
	__u32 pending;         /* the table is still being made: the range only counts, and don't guess */
};

/*
 * A process's mappings. The map of processes has the place of this structure by process id, or 0 while the mappings are
 * not known. Aligned to 8 bytes. Followed by, in ascending order: u64 start[count] (AVMAs), struct cfic_mapping[count].
 */
struct cfic_process {
	__u32 count;
	__u32 number; /* 1 and up, unique among all processes' mappings at all times                    */
};

#define CFIC_PROCESS_SIZE(count) (sizeof(struct cfic_process) + (count) * (8 + sizeof(struct cfic_mapping)))

/*
 * As many as fit an element: twice the number of mappings of any kind that a process can have by default
 * (vm.max_map_count).
 */
#define CFIC_PROCESS_MAPPINGS 131071
#define CFIC_PROCESS_SEARCH_STEPS 17

CFIC_STATIC_ASSERT(sizeof(struct cfic_loaded_range) == 64, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_mapping) == 24, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_process) == 8, "layout");
CFIC_STATIC_ASSERT(CFIC_PROCESS_SIZE(CFIC_PROCESS_MAPPINGS) <= CFIC_ELEMENT_SIZE, "mappings fit an element");
CFIC_STATIC_ASSERT(CFIC_PROCESS_MAPPINGS < 1 << CFIC_PROCESS_SEARCH_STEPS, "the steps suffice");
CFIC_STATIC_ASSERT((1 + CFIC_BLOCK_MAX) * sizeof(struct cfic_item) <= CFIC_ELEMENT_SPARE, "a block's items fit");
CFIC_STATIC_ASSERT(CFIC_RULES_MAX * sizeof(struct cfic_rule) <= CFIC_ELEMENT_SIZE, "rules fit an element");
CFIC_STATIC_ASSERT(CFIC_EXPRESSIONS_MAX * sizeof(struct cfic_op) <= CFIC_ELEMENT_SIZE, "operations fit an element");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The unwind table of one ELF image, as in a file. Little-endian and naturally aligned, so that it can be used in
 * place. docs/table-format.md has the same in prose. A reader must not trust a table until every index, offset and
 * bound has been proved (`cfic verify`).
 */
#ifndef CFIC_TABLE_H
#define CFIC_TABLE_H

#include <linux/types.h>

#include "rule.h"

#define CFIC_TABLE_MAGIC "\x89UNWTAB\n"
#define CFIC_TABLE_MAGIC_SIZE 8
#define CFIC_TABLE_VERSION 3
#define CFIC_KEY_MAX 48
#define CFIC_DIGEST_SIZE 16

/* The kind of a table's key: cfic_table_header.key_kind. */
enum cfic_key_kind {
	CFIC_KEY_BUILD_ID = 1, /* the bytes of the GNU build id note                                */
	CFIC_KEY_CONTENT = 2,  /* SHA-256 of the table's input                                      */
};

/* Where .debug_frame came from: cfic_table_header.debug_source. */
enum cfic_debug_source {
	CFIC_DEBUG_NONE = 0,      /* there was none                                                 */
	CFIC_DEBUG_SAME_FILE = 1, /* the image itself                                               */
	CFIC_DEBUG_FILE = 2,      /* a separate debug file                                          */
	CFIC_DEBUG_EMBEDDED = 3,  /* .gnu_debugdata                                                 */
};

/* cfic_table_header.options */
#define CFIC_OPTION_KEEP_GAPS 0x1     /* padding between functions was not absorbed                 */

struct cfic_section {
	__u64 offset;   /* from the start of the file; a multiple of 16                             */
	__u64 size;     /* bytes                                                                    */
	__u64 checksum; /* XXH64 with seed 0                                                        */
};

enum cfic_section_index {
	CFIC_SECTION_RANGES = 0,      /* struct cfic_range[], ascending by start_page               */
	CFIC_SECTION_DIRECTORY = 1,   /* __u32[]: an entry for each page of each range              */
	CFIC_SECTION_RULES = 2,       /* struct cfic_rule[]                                         */
	CFIC_SECTION_EXPRESSIONS = 3, /* struct cfic_op[]                                           */
	CFIC_SECTION_PAGES = 4,       /* records                                                    */
	CFIC_SECTION_COUNT
};

/* What the compiler counted: for statistics, not for lookups. */
struct cfic_counts {
	__u64 raw_rows;         /* rows of the CFI, before merging                                  */
	__u64 rows;             /* rows after merging neighbours and absorbing padding; gaps count  */
	__u64 executable_bytes; /* executable bytes of the file                                     */
	__u64 covered_bytes;    /* bytes that an FDE covers                                         */
	__u64 lowered_bytes;    /* covered bytes with a rule or an end of stack                     */
	__u64 absorbed_bytes;   /* padding that got the preceding rule                              */
	__u32 fdes;             /* FDEs with a range                                                */
	__u32 bad_fdes;         /* malformed FDEs                                                   */
	__u32 overlapping_fdes; /* FDEs that overlap an earlier one                                 */
	__u32 dropped_fdes;     /* FDEs that cover no byte of an executable segment                 */
};

struct cfic_table_header {
	__u8 magic[CFIC_TABLE_MAGIC_SIZE];
	__u16 version;          /* CFIC_TABLE_VERSION                                               */
	__u16 header_size;      /* sizeof(struct cfic_table_header)                                 */
	__u16 machine;          /* ELF e_machine                                                    */
	__u8 pc_shift;          /* log2 of the pc unit in bytes: 0 on x86-64, 2 on aarch64          */
	__u8 rule_size;         /* sizeof(struct cfic_rule)                                         */
	__u32 producer;         /* compiler version: major << 16 | minor << 8 | patch               */
	__u32 options;          /* CFIC_OPTION_*                                                    */
	__u8 key_kind;          /* enum cfic_key_kind                                               */
	__u8 key_size;          /* bytes of key[] in use                                            */
	__u8 debug_source;      /* enum cfic_debug_source                                           */
	__u8 reserved;
	__u32 revision;         /* of the compiler's rules; if equal, equal input gives equal bytes */
	__u8 key[CFIC_KEY_MAX];
	__u8 digest[CFIC_DIGEST_SIZE]; /* distinguishes files with the same build id; else 0        */
	__u64 source_size;      /* size of the ELF file up to the end of its loaded segments        */
	__u64 debug_size;       /* size of the separate debug file that was used; else 0            */
	struct cfic_counts counts;
	struct cfic_section sections[CFIC_SECTION_COUNT];
	__u64 checksum;         /* XXH64 with seed 0 of the header up to this field                 */
};

/* A run of pages. Ranges neither overlap nor adjoin. */
struct cfic_range {
	__u64 start_page;      /* SVMA >> (pc_shift + CFIC_PAGE_BITS)                               */
	__u32 page_count;      /* at least 1                                                        */
	__u32 directory_index; /* index of the first page's entry: the sum of the preceding counts  */
};

/* ---- pages ---- */

#define CFIC_PAGE_BITS 16 /* a page covers 65,536 pc units                                          */
#define CFIC_PAGE_UNITS (1u << CFIC_PAGE_BITS)
#define CFIC_BLOCK_BITS 8 /* a block covers 256 pc units                                            */
#define CFIC_BLOCK_UNITS (1u << CFIC_BLOCK_BITS)
#define CFIC_PAGE_BLOCKS 256
#define CFIC_QUARTER_UNITS (CFIC_PAGE_UNITS / 4)
#define CFIC_QUARTER_BLOCKS 64
#define CFIC_GROUP_BITS 3 /* blocks that share a base in a dense record's index                     */
#define CFIC_GROUPS (CFIC_PAGE_BLOCKS >> CFIC_GROUP_BITS)
#define CFIC_SPARSE_MAX 256 /* rows of a sparse record, so that 8 steps of search suffice           */
#define CFIC_PALETTE_MAX 256
#define CFIC_RULES_MAX 65536
#define CFIC_RECORD_MAX 65536 /* bytes; so little that elements' ends waste little memory           */

/* Directory entries: kind in the low two bits, value above. */
enum cfic_page_kind {
	CFIC_PAGE_UNIFORM = 0, /* no record: the whole page has the rule number `value`             */
	CFIC_PAGE_SPARSE = 1,  /* struct cfic_sparse at 4 * value of the pages section              */
	CFIC_PAGE_DENSE = 2,   /* struct cfic_dense at 4 * value                                    */
	CFIC_PAGE_QUARTERS = 3 /* struct cfic_quarters at 4 * value                                 */
};
#define CFIC_PAGE_KIND_BITS 2
#define CFIC_RECORD_ALIGN 4

/*
 * Every record has a row at unit 0, so that a lookup never leaves its page. Rules are palette indices, or rule numbers
 * if there is no palette (palette_count 0).
 */

/*
 * Up to CFIC_SPARSE_MAX rows. Followed by: palette u16[palette_count] | unit u16[row_count], ascending | rule
 * u8[row_count]
 */
struct cfic_sparse {
	__u16 row_count;     /* 1..256                                                              */
	__u16 palette_count; /* 0..256                                                              */
};

/*
 * start[b] + base[b >> 3] is the index of block b's first row; the block ends where block b + 1 starts.
 * Followed by: palette u16[palette_count] | rows struct cfic_dense_row[row_count]
 */
struct cfic_dense {
	__u16 row_count;
	__u16 palette_count;
	__u16 base[CFIC_GROUPS + 1];
	__u8 start[CFIC_PAGE_BLOCKS + 1];
	__u8 reserved;
};

/* Unit and rule are adjacent, so that the search ends right at the rule. */
struct cfic_dense_row {
	__u8 unit; /* low byte, ascending in each block                                             */
	__u8 rule;
};

/* A page with more than 256 rules or too many rows: four records, each for a quarter of the page. */
struct cfic_quarters {
	__u32 quarter[4]; /* struct cfic_quarter at 4 * value of the pages section                  */
};

/* Followed by: rule u16[row_count], rule numbers | unit u8[row_count], low byte, ascending in each block */
struct cfic_quarter {
	__u16 row_count; /* 1..16,384                                                               */
	__u16 start[CFIC_QUARTER_BLOCKS + 1]; /* index of each block's first row, and of the end    */
};

CFIC_STATIC_ASSERT(sizeof(struct cfic_section) == 24, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_counts) == 64, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_table_header) == 304, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_range) == 16, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_sparse) == 4, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_dense) == 328, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_dense_row) == 2, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_quarters) == 16, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_quarter) == 132, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_quarter) + 3 * CFIC_QUARTER_UNITS <= CFIC_RECORD_MAX, "a quarter always fits");
CFIC_STATIC_ASSERT(CFIC_SPARSE_MAX * 3 + sizeof(struct cfic_sparse) + 2 * CFIC_PALETTE_MAX <= CFIC_RECORD_MAX, "fits");

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The unwind table of one ELF image, as in a file. Little-endian, and aligned so that it can be used in place.
 * docs/table-format.md has the same in prose. A reader must not trust a table until every index, offset and bound has
 * been proved (`cfic verify`).
 */
#ifndef CFIC_TABLE_H
#define CFIC_TABLE_H

#include <linux/types.h>

#include "rule.h"

#define CFIC_TABLE_MAGIC "\x89UNWTAB\n"
#define CFIC_TABLE_MAGIC_SIZE 8
#define CFIC_TABLE_VERSION 4
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
	CFIC_DEBUG_GO = 4,        /* there was none; .gopclntab describes Go functions              */
};

/* cfic_table_header.options */
#define CFIC_OPTION_KEEP_GAPS 0x1     /* padding between functions was not absorbed                 */
#define CFIC_OPTION_NO_INFERENCE 0x2  /* code without call frame information was not analysed       */

/*
 * The sections follow the header in this order, without gaps. Their sizes are numbers of elements
 * (cfic_table_header.lengths).
 */
enum cfic_section_index {
	CFIC_SECTION_RANGES = 0,     /* struct cfic_range, ascending by start_page                  */
	CFIC_SECTION_EXPRESSIONS = 1, /* struct cfic_op                                             */
	CFIC_SECTION_TEMPLATES = 2,  /* struct cfic_template                                        */
	CFIC_SECTION_DIRECTORY = 3,  /* __u32: an entry for each page of each range                 */
	CFIC_SECTION_RULES = 4,      /* struct cfic_short_rule, by rule number                      */
	CFIC_SECTION_LONG_RULES = 5, /* struct cfic_rule                                            */
	CFIC_SECTION_SOURCES = 6,    /* struct cfic_source: addresses whose rules don't come from .eh_frame */
	CFIC_SECTION_REGISTERS = 7,  /* reserved: rules of other callee-saved registers; empty      */
	CFIC_SECTION_PAGES = 8,      /* words of records                                            */
	CFIC_SECTION_COUNT
};

/* Zero bytes that end the file, so that a load of 8 bytes that begins in a record stays in it. */
#define CFIC_SPARE_BYTES 8

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

/*
 * Followed by the key, by the digest (only beside a build id, and only if it is known), by zeros up to a multiple of 8,
 * and by the XXH64 with seed 0 of the header up to there.
 */
struct cfic_table_header {
	__u8 magic[CFIC_TABLE_MAGIC_SIZE];
	__u16 version;          /* CFIC_TABLE_VERSION                                               */
	__u16 machine;          /* ELF e_machine                                                    */
	__u8 pc_shift;          /* log2 of the pc unit in bytes: 0 on x86-64, 2 on aarch64          */
	__u8 key_kind;          /* enum cfic_key_kind                                               */
	__u8 key_size;          /* bytes of the key                                                 */
	__u8 digest_size;       /* CFIC_DIGEST_SIZE, or 0                                           */
	__u32 producer;         /* compiler version: major << 16 | minor << 8 | patch               */
	__u32 options;          /* CFIC_OPTION_*                                                    */
	__u32 revision;         /* of the compiler's rules; if equal, equal input gives equal bytes */
	__u16 first_template;   /* the symbol of the first template                                 */
	__u8 debug_source;      /* enum cfic_debug_source                                           */
	__u8 reserved;
	__u64 source_size;      /* size of the ELF file up to the end of its loaded segments        */
	__u64 debug_size;       /* size of the separate debug file that was used; else 0            */
	struct cfic_counts counts;
	__u32 lengths[CFIC_SECTION_COUNT]; /* of the sections, in elements                          */
	__u32 unused;
	__u64 checksum;         /* XXH64 with seed 0 of all that follows the header                 */
};

/* A run of pages. Ranges neither overlap nor adjoin. */
struct cfic_range {
	__u64 start_page;      /* SVMA >> (pc_shift + CFIC_PAGE_BITS)                               */
	__u32 page_count;      /* at least 1                                                        */
	__u32 directory_index; /* index of the first page's entry: the sum of the preceding counts  */
};

/* Where the rules of addresses come from, if not from .eh_frame: cfic_source.size_and_kind. */
enum cfic_source_kind {
	CFIC_SOURCE_DEBUG_FRAME = 1, /* .debug_frame                                                */
	CFIC_SOURCE_GO = 2,          /* .gopclntab                                                  */
	CFIC_SOURCE_INFERRED = 3,    /* the instructions                                            */
	CFIC_SOURCE_KIND_COUNT
};
#define CFIC_SOURCE_KIND_BITS 2

/* A run of addresses with one source. Runs ascend and don't overlap. */
struct cfic_source {
	__u32 start_low;     /* SVMA                                                                */
	__u32 start_high;
	__u32 size_and_kind; /* pc units << CFIC_SOURCE_KIND_BITS | enum cfic_source_kind           */
};

/* ---- pages ---- */

#define CFIC_PAGE_BITS 16 /* a page covers 65,536 pc units                                          */
#define CFIC_PAGE_UNITS (1u << CFIC_PAGE_BITS)
#define CFIC_BLOCK_BITS 8 /* a block covers 256 pc units                                            */
#define CFIC_BLOCK_UNITS (1u << CFIC_BLOCK_BITS)
#define CFIC_QUARTER_UNITS (CFIC_PAGE_UNITS / 4)
#define CFIC_QUARTER_BLOCKS 64
#define CFIC_SPARSE_MAX 256 /* items of a sparse record, so that 8 steps of search suffice          */
#define CFIC_DENSE_MAX 32767 /* items of a dense record: its index has 15 bits for a number of items */
#define CFIC_BLOCK_MAX 127  /* items of a block                                                     */
#define CFIC_PALETTE_MAX 255
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
 * Rows come in the same short sequences over and over, so what a record lists are *items*: rows, or templates, which
 * stand for 2 to 8 rows each. Both have *symbols*, in one numbering: the rules below first_template, then all templates,
 * then the other rules. There are at most 65,536 symbols.
 *
 * A record has one byte for an item's symbol, its *code*. With p palette entries, a code below 256 - p is the symbol
 * itself; a higher one c means palette[c - (256 - p)].
 *
 * Every record has an item at unit 0, so that a lookup never leaves its page.
 */
#define CFIC_TEMPLATE_ROWS 8
#define CFIC_TEMPLATES_MAX 256

/*
 * Row i is offset[i] units after the item's, and has rule[i], whose number is below 256. If there are fewer than 8 rows,
 * the rest repeat the last one, so that nobody needs to know their number. All rows lie in the block of the first one.
 */
struct cfic_template {
	__u8 offset[CFIC_TEMPLATE_ROWS]; /* the first one 0, then ascending                         */
	__u8 rule[CFIC_TEMPLATE_ROWS];
};

/*
 * Up to CFIC_SPARSE_MAX items. Followed by: palette u16[palette_count] | unit u16[item_count], ascending | code
 * u8[item_count]. Blocks, in which templates' rows lie, have 256 units.
 */
struct cfic_sparse {
	__u8 palette_count;
	__u8 reserved;
	__u16 item_count; /* 1..256                                                                 */
};

/*
 * Followed by: index | item_count u16, 1..32,767 | palette u16[palette_count] | struct cfic_item[item_count]. The index
 * tells which items each block has. Beyond the last block there are no rows.
 */
struct cfic_dense {
	__u8 palette_count;
	__u8 index;       /* enum cfic_index, or else log2 of the units of a block, 4..8            */
	__u16 last_unit;  /* of the last block                                                      */
};

/*
 * The usual index: a u64 for each 8 blocks. Bits 0-14: the number of items before them. Bits 15 + 7i .. 21 + 7i, for i from
 * 0 to 6: the number of those before their block i + 1. The item_count ends the last block.
 */
#define CFIC_GROUP_BITS 3
#define CFIC_GROUP_BASE_BITS 15
#define CFIC_GROUP_START_BITS 7
#define CFIC_DENSE_BLOCK_BITS_MIN 4

enum cfic_index {
	/* Blocks have 256 units, and at most 15 items: a struct cfic_nibble_group for each 16 blocks. */
	CFIC_INDEX_NIBBLES = 0x88
};

struct cfic_nibble_group {
	__u16 base;      /* the number of items before these blocks                                 */
	__u16 counts[4]; /* as one little-endian number: bits 4i .. 4i + 3 are the items of block i */
};
#define CFIC_NIBBLE_GROUP_BITS 4
#define CFIC_NIBBLE_MAX 15

/* Unit and code are adjacent, so that the search ends right at the code. */
struct cfic_item {
	__u8 unit; /* low byte, ascending in each block                                             */
	__u8 code;
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

CFIC_STATIC_ASSERT(sizeof(struct cfic_counts) == 64, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_table_header) == 160, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_range) == 16, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_source) == 12, "layout");
CFIC_STATIC_ASSERT(CFIC_SOURCE_KIND_COUNT <= 1 << CFIC_SOURCE_KIND_BITS, "kinds fit");
CFIC_STATIC_ASSERT(sizeof(struct cfic_template) == 16, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_sparse) == 4, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_dense) == 4, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_nibble_group) == 10, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_item) == 2, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_quarters) == 16, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_quarter) == 132, "layout");
CFIC_STATIC_ASSERT(sizeof(struct cfic_quarter) + 3 * CFIC_QUARTER_UNITS <= CFIC_RECORD_MAX, "a quarter always fits");
CFIC_STATIC_ASSERT(CFIC_SPARSE_MAX * 3 + sizeof(struct cfic_sparse) + 2 * CFIC_PALETTE_MAX <= CFIC_RECORD_MAX, "fits");

#endif

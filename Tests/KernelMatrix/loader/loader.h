/*
 * A minimal loader of the kernel unwinder, which proves that bpf/include/cfic and docs/ suffice to write one. It trusts
 * tables, because they were made together with it. It exits on any error.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cfic/batch.h"
#include "cfic/elements.h"
#include "cfic/native.h"
#include "cfic/sample.h"
#include "cfic/sections.h"

#if defined(__x86_64__)
#define OF_MACHINE(name) name "_x86_64"
#elif defined(__aarch64__)
#define OF_MACHINE(name) name "_aarch64"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHECK(condition, ...) \
	do { \
		if (!(condition)) { \
			printf("FAILED: " __VA_ARGS__); \
			printf(" (%s:%d, %m)\n", __FILE__, __LINE__); \
			exit(1); \
		} \
	} while (0)

/* object.c: the BPF programs. */

/*
 * Loads them, so that they sample listed processes, each with a snapshot; or everyone, with snapshots of processes that
 * are not listed.
 */
struct bpf_object *object_load(const char *path, int everyone);
int object_map(struct bpf_object *object, const char *name);
int object_program(struct bpf_object *object, const char *name);
/* The mapped structure with which lookups and walks are requested. */
struct cfic_batch *object_batch(struct bpf_object *object);
/* Tries to load an object unchanged, and prints the kernel's messages; 0 if it was loaded. */
int object_try(const char *path);

/* elements.c: the memory for tables and processes. */
void elements_begin(struct bpf_object *object);
/* Allocates `words` words at a multiple of `align` words, in one element if they fit. Returns their place. */
__u32 elements_take(__u32 words, __u32 align);
void elements_write(__u32 place, const void *from, size_t size);

/* tables.c: tables in files and in elements. */
struct table {
	const struct cfic_table_header *header;
	struct cfic_native_table native;
	__u32 rule_count;
	__u32 *ranges;                           /* places of struct cfic_loaded_range                  */
	__u32 pages[CFIC_PAGE_QUARTERS + 1];     /* how many there are of each enum cfic_page_kind       */
};

struct table *table_load(const char *path);
const void *table_record(const struct table *table, __u32 place);

/* mappings.c: the executable mappings of a process, in ascending address order. */
struct mapping {
	__u64 start, end, bias;
	__u32 range;
};

/* Reads at most `most` mappings, with tables from `directory` by build id. Returns the number of mappings. */
size_t mappings_read(int process, const char *directory, struct mapping *mappings, size_t most);

/* process.c: processes to unwind. */
void process_add(struct bpf_object *object, __u32 process, const struct mapping *mappings, size_t count);
void process_remove(struct bpf_object *object, __u32 process);

/* lookups.c: compares lookups in the kernel with those of bpf/native. Returns the number of differences. */
unsigned long lookups_compare(struct bpf_object *object, const char *path);

/* walks.c: compares walks of the loader's own stack with the expected frames; 0 if none differed. */
int walks_compare(struct bpf_object *object, const char *directory);

/* snapshots.c: compares a process's snapshots with its memory. */
struct snapshots {
	unsigned long taken, different;
	unsigned long joined; /* samples whose snapshot was there when they were taken                  */
	unsigned long at_start; /* snapshots with the stack pointer with which the program began        */
};

void snapshots_begin(struct bpf_object *object, int process);
/* For a process that is about to change its memory: counts only `at_start`. */
void snapshots_begin_without_memory(struct bpf_object *object, int process);
/* Reads the snapshots so far, and looks for the sample's: 1 if it is there. */
unsigned long snapshots_find(const struct cfic_sample *sample);
struct snapshots snapshots_end(void);

/* samples.c: compares samples of a workload with the workload's description of its stack; 0 if none differed. */
int samples_compare(struct bpf_object *object, const char *directory, const char *name, char **command);
/* The same for its waits, and their length. */
int waits_compare(struct bpf_object *object, const char *directory, const char *name, char **command);

/* everyone.c: the same while all processes are sampled: before it is listed, and after; when it executes and ends. */
int everyone_compare(struct bpf_object *object, const char *directory, const char *name, char **command);

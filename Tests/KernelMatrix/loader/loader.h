/*
 * A loader of the kernel unwinder, as small as one can be: proof that bpf/include/cfic and docs/ suffice to write one.
 * It trusts tables; they were made where it was built. Whatever fails ends it.
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

/* object.c: the programs in the kernel. */
struct bpf_object *object_load(const char *path);
int object_map(struct bpf_object *object, const char *name);
int object_program(struct bpf_object *object, const char *name);
/* What lookups and walks are asked for with, mapped. */
struct cfic_batch *object_batch(struct bpf_object *object);
/* Tries to load an object as it is, and prints what the kernel says; 0 if it could. */
int object_try(const char *path);

/* elements.c: the memory of tables and processes. */
void elements_begin(struct bpf_object *object);
/* A place for so many words, at a multiple of `align` of them; in one element if they fit one. */
__u32 elements_take(__u32 words, __u32 align);
void elements_write(__u32 place, const void *from, size_t size);

/* tables.c: tables as they stand in files and in elements. */
struct table {
	const struct cfic_table_header *header;
	struct cfic_native_table native;
	__u32 rule_count;
	__u32 *ranges;                           /* places of struct cfic_loaded_range                  */
	__u32 pages[CFIC_PAGE_QUARTERS + 1];     /* how many there are of each enum cfic_page_kind       */
};

struct table *table_load(const char *path);
const void *table_record(const struct table *table, __u32 place);

/* mappings.c: what is mapped executable in a process, by rising address. */
struct mapping {
	__u64 start, end, bias;
	__u32 range;
};

/* Tables are files of `directory`, by build id; so many mappings at most, and how many there are. */
size_t mappings_read(int process, const char *directory, struct mapping *mappings, size_t most);

/* process.c: processes that are unwound. */
void process_add(struct bpf_object *object, __u32 process, const struct mapping *mappings, size_t count);
void process_remove(struct bpf_object *object, __u32 process);

/* lookups.c: compares lookups in the kernel with those of bpf/native. How many differed. */
unsigned long lookups_compare(struct bpf_object *object, const char *path);

/* walks.c: compares walks of the loader's own stack with what it knows of it. 0 if none differed. */
int walks_compare(struct bpf_object *object, const char *directory);

/* samples.c: compares samples of a workload with the stack that it says it has. 0 if none differed. */
int samples_compare(struct bpf_object *object, const char *directory, const char *name, char **command);

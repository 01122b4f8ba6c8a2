/* What the parts of the child share. */
#ifndef CFIC_DEBUG_INFO_WALK_H
#define CFIC_DEBUG_INFO_WALK_H

#include "source_frames.h"

#include <elfutils/libdw.h>
#include <stdatomic.h>
#include <sys/types.h>

/* Shared between child and parent; the frames and the text follow. */
struct results {
	_Atomic uint32_t frame_count;
	_Atomic uint32_t text_size;
	/* Addresses that were looked up, with or without a result. */
	_Atomic uint32_t done;
	uint32_t frame_limit, text_limit;
	/* As in struct source_frames. */
	_Atomic uint32_t split_units;
	int split_problem;
	uint32_t split_path;
};

struct output {
	struct results *results;
	struct source_frame *frames;
	char *text;
	/* Of strings that were added: by address, the offset in the text. */
	struct known_string {
		const char *string;
		uint32_t offset;
	} *known;
	size_t known_count, known_size;
};

/* The offset of a string that libdw keeps; 0 if it is null, or if there is no room. */
uint32_t output_string(struct output *output, const char *string);

/* Adds a frame; 0 if there is no room. */
int output_frame(struct output *output, struct source_frame frame);

/* The file, one that it shares DWARF with, and what libdw opens meanwhile. */
#define FILES_MAX 4

/* Opens a regular file: any path may be in the DWARF, also that of a FIFO, which would block. Errno is ENODEV for others. */
int open_regular(const char *path);

/* Where split DWARF may be. */
struct split_files {
	/* Of the file that names it; empty if it isn't known. */
	char path[4096];
	/* Whether others may write it. */
	int others_may_write;
	/* The parent's user, which others are not. */
	uid_t user;
	/* Whether nothing may be opened. */
	int is_off;
};

/*
 * Finds the DIE that has the functions of a unit. That is another one if they are in a file of their own. Returns 0 if that
 * can't be read, which is noted.
 */
int find_functions(const struct split_files *files, Dwarf_Die *unit, Dwarf_Die *functions, struct output *output);

/* Looks up all addresses. */
void walk_dwarf(
	Dwarf *dwarf, const struct split_files *files, const uint64_t *addresses, size_t count, struct output *output);

#endif

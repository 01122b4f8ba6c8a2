/* What the parts of the child share. */
#ifndef CFIC_DEBUG_INFO_WALK_H
#define CFIC_DEBUG_INFO_WALK_H

#include "source_frames.h"

#include <elfutils/libdw.h>
#include <stdatomic.h>

/* Shared between child and parent; the frames and the text follow. */
struct results {
	_Atomic uint32_t frame_count;
	_Atomic uint32_t text_size;
	/* Addresses that were looked up, with or without a result. */
	_Atomic uint32_t done;
	uint32_t frame_limit, text_limit;
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

/* Looks up all addresses. */
void walk_dwarf(Dwarf *dwarf, const uint64_t *addresses, size_t count, struct output *output);

#endif

/*
 * What a workload tells of its stack, in a file that it and the loader have mapped: filled on the way down, and never
 * changed once it is ready. A workload that is ready stays where it is until it is killed.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

#include "cfic/sample.h"

#define KNOWN_FRAMES_MAX 2048
#define KNOWN_PLACES_MAX 4

struct known_stack {
	volatile __u32 ready;
	/* The code that it stays in: a sample's innermost pc is in one of these. */
	__u32 place_count;
	struct {
		__u64 start, end;
		__u32 left_out; /* of the frames below, the last ones: they are callers of other places only    */
		__u32 guessed;  /* whether nothing says how to get to the callers, so that all of them are      */
	} places[KNOWN_PLACES_MAX];
	/* Whether samples must be seen that interrupt the kernel. */
	__u32 in_kernel;
	__u32 is_signed; /* whether return addresses carry an authentication code                       */
	__u32 reserved;
	/* pcs with the marks that samples have, from main's caller on to that of the innermost function. */
	__u32 frame_count;
	__u64 frames[KNOWN_FRAMES_MAX];
};

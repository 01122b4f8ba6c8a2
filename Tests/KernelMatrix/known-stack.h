/*
 * A workload's description of its stack, in a file that it and the loader map. The workload fills it while it calls its
 * functions, and doesn't change it once it is ready. Then it stays in its innermost function until it is killed.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

#include "cfic/sample.h"

#define KNOWN_FRAMES_MAX 2048
#define KNOWN_PLACES_MAX 4

struct known_stack {
	volatile __u32 ready;
	/* The code in which it stays. A sample's innermost pc is in one of these ranges. */
	__u32 place_count;
	struct {
		__u64 start, end;
		__u32 left_out; /* of the frames below, how many of the last are not callers of this place      */
		__u32 guessed;  /* whether its callers, and so all further frames, have to be guessed           */
		__u32 inferred; /* whether its rules are inferred, so that its caller is marked                 */
		__u32 reserved;
	} places[KNOWN_PLACES_MAX];
	/* Whether there must be samples that interrupt the kernel. */
	__u32 in_kernel;
	__u32 is_signed; /* whether return addresses carry an authentication code                       */
	__u32 reserved;
	/*
	 * Set by the loader: the workload begins to wait, or executes another program. Then, set by the workload: it has
	 * waited as often as asked, or what was known of its stack is forgotten.
	 */
	volatile __u32 go;
	volatile __u32 done;
	__u64 waited; /* ns of all waits, by the workload's clock                                        */
	/* pcs with the samples' marks, from main's caller to the innermost function's caller. */
	__u32 frame_count;
	__u64 frames[KNOWN_FRAMES_MAX];
};

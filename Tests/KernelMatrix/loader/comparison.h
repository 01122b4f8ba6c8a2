/*
 * What is known about a workload, and what was found in its samples.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

#include "loader.h"
#include "../known-stack.h"

#define NEEDED 20 /* samples required of each place of a workload, and in the kernel if it calls it   */
#define SECONDS 30
#define MAPPINGS_MAX 256

struct comparison {
	struct known_stack *known;
	const char *name;
	int process;
	struct mapping mappings[MAPPINGS_MAX];
	size_t mapping_count;
	__u64 waited;
	unsigned long waits, samples, in_kernel, in_place[KNOWN_PLACES_MAX], different, guessed, frames;
};

/* samples.c */

/* The place of a workload in which a frame of a sample is; -1 if it is in none. */
int place_of(const struct known_stack *known, __u64 pc);
/* Compares a sample of a workload that is ready, and counts it. */
void compare_sample(struct comparison *comparison, const struct cfic_sample *sample, size_t size);

/* workload.c */

/* Seconds, by a clock that is only good for differences. */
double now(void);
struct known_stack *map_known(const char *path);
/* Starts the workload, and returns when it is ready. */
int workload_start(struct known_stack *known, const char *path, char **command);
void workload_end(int process);
/* Attaches the BPF program to clock events on each CPU, unless it is attached. */
void clocks_attach(struct bpf_object *object);
void clocks_detach(void);

/*
 * Shared by all workloads: describing their stacks, and marking the code that they stay in.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../known-stack.h"

/* The function isn't inlined, cloned or merged, and the compiler assumes nothing about its effects. */
#define OWN_FRAME __attribute__((noinline, noipa))
/* Puts a function into its own section. The name is an identifier, so that linkers define symbols for start and end. */
#define IN_SECTION(name) __attribute__((section(#name)))
/* Makes the compiler assume that memory is used. */
#define USE(pointer) __asm__ volatile("" :: "r"(pointer) : "memory")

/* Must come first in each function of the stack. */
#define RECORD(known) record((known), (__u64)__builtin_return_address(0))

static inline void record(struct known_stack *known, __u64 pc)
{
	if (known->frame_count == KNOWN_FRAMES_MAX)
		abort();
	known->frames[known->frame_count++] = pc;
	/* Forces the stores to happen now and not after the endless loop. */
	USE(known);
}

static inline void add_place(struct known_stack *known, const void *start, const void *end)
{
	known->places[known->place_count].start = (__u64)start;
	known->places[known->place_count].end = (__u64)end;
	known->place_count++;
}

#define ADD_PLACE(known, section) \
	do { \
		extern const char __start_##section[] __attribute__((visibility("hidden"))); \
		extern const char __stop_##section[] __attribute__((visibility("hidden"))); \
		add_place((known), __start_##section, __stop_##section); \
	} while (0)

/* Maps the file that the loader reads; its path is the first argument. */
static inline struct known_stack *map_known(char **words)
{
	int file = open(words[1], O_RDWR | O_CLOEXEC);
	struct known_stack *known = mmap(NULL, sizeof(*known), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (file < 0 || known == MAP_FAILED)
		abort();
	return known;
}

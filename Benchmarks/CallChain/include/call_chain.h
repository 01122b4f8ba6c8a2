/* A stack of known depth, and the registers of its innermost frame. */
#ifndef CFIC_CALL_CHAIN_H
#define CFIC_CALL_CHAIN_H

#include <stdint.h>

/*
 * Calls itself until the stack has `depth` of its frames, each of at most 128 bytes, then calls `innermost` with the
 * last frame's registers, by DWARF number, and its pc. The frames exist until `innermost` returns.
 */
void call_chain(int depth, void (*innermost)(void *context, const uint64_t *registers, uint64_t pc), void *context);

/* Seconds. */
struct busy_chain {
	double cpu;
	double interrupted; /* of them, between two looks at the clock that should follow each other at once */
};

/*
 * Computes on one CPU, in calls that nest `depth` deep and make 64 different stacks: a fixed amount of work, or for ever
 * if `rounds` is 0. Non-zero on failure.
 */
int busy_chain(int cpu, int depth, long rounds, struct busy_chain *measured);

#endif

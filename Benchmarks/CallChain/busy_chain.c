/*
 * A program that does nothing but compute, 60 frames deep, and notices when it is interrupted.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include "call_chain.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

/* Looks at the clock in each round, of tens of nanoseconds each. */
#define LOOKS 1000
/* ns: a longer time between two looks is that of an interrupt, unless another process ran. */
#define SHORTEST 1000
#define LONGEST 1000000

static long interrupted;
static volatile int returned;

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void __attribute__((noinline, optnone)) look(void)
{
	long before = now();

	for (int i = 0; i < LOOKS; i++) {
		long after = now();

		if (after - before > SHORTEST && after - before < LONGEST)
			interrupted += after - before;
		before = after;
	}
}

/* Bits of `path` choose between two calls, so that there are many stacks. */
static void __attribute__((noinline, optnone)) descend(int depth, unsigned path)
{
	if (depth <= 1)
		look();
	else if (path & 1)
		descend(depth - 1, path >> 1);
	else
		descend(depth - 1, path >> 1);
	/* Prevents a tail call. */
	returned++;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int busy_chain(int number, int depth, long rounds, struct busy_chain *measured)
{
	cpu_set_t one;
	double start;

	CPU_ZERO(&one);
	CPU_SET(number, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return -1;
	start = cpu();
	for (long round = 0; rounds == 0 || round < rounds; round++)
		descend(depth, (unsigned)round * 0x9e3779b9u >> 26);
	measured->cpu = cpu() - start;
	measured->interrupted = interrupted / 1e9;
	return 0;
}

/*
 * Threads that wait, and know for how long.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include "ping_pong.h"

#include <pthread.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

struct waiter {
	pthread_t thread;
	double seconds;
	double waited;
};

static void *wait_often(void *argument)
{
	struct waiter *waiter = argument;
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	double start = now(), before = start, after;

	pthread_setname_np(pthread_self(), "known-waits");
	do {
		nanosleep(&millisecond, 0);
		after = now();
		waiter->waited += after - before;
		before = now();
	} while (after - start < waiter->seconds);
	return 0;
}

int known_waits(double seconds, double *waited)
{
	struct waiter waiters[KNOWN_WAITERS] = { 0 };

	for (int i = 0; i < KNOWN_WAITERS; i++) {
		waiters[i].seconds = seconds;
		if (pthread_create(&waiters[i].thread, 0, wait_often, &waiters[i]))
			return -1;
	}
	*waited = 0;
	for (int i = 0; i < KNOWN_WAITERS; i++) {
		pthread_join(waiters[i].thread, 0);
		*waited += waiters[i].waited;
	}
	return 0;
}

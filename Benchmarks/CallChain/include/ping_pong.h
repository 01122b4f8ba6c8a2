/*
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

/* Seconds. */
struct ping_pong {
	double wall;
	double cpu; /* of both processes */
};

/* Passes a byte to and fro `count` times, between this process and a child on CPU 0. Non-zero on failure. */
int ping_pong(long count, struct ping_pong *measured);

#define KNOWN_WAITERS 32

/* So many threads named known-waits wait for a millisecond again and again; `waited` is the sum, in seconds. */
int known_waits(double seconds, double *waited);

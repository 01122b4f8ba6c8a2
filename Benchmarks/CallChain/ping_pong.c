/*
 * Two processes that pass a byte to and fro through pipes: the program that switches most.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include "ping_pong.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double wall(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int ping_pong(long count, struct ping_pong *measured)
{
	int to[2], from[2], status;
	cpu_set_t one;
	char byte = 0;
	pid_t child;
	double start, cpu;

	prctl(PR_SET_NAME, "ping-pong");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one) || pipe(to) || pipe(from))
		return -1;
	cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
	start = wall();
	child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		for (long i = 0; i < count; i++) {
			if (read(to[0], &byte, 1) != 1 || write(from[1], &byte, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (long i = 0; i < count; i++) {
		if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1)
			return -1;
	}
	measured->wall = wall() - start;
	if (waitpid(child, &status, 0) != child || status != 0)
		return -1;
	measured->cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN) - cpu;
	return 0;
}

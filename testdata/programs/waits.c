/*
 * Waits in known ways, and prints for each how often and how long, by its own clock, with the sum of the squares:
 * "NAME COUNT NANOSECONDS SQUARES".
 *
 *     waits LENGTH COUNT [KIND]       LENGTH in microseconds; KIND is nanosleep, futex or pipe, by default all
 *
 * Starts when it reads a line, so that a profiler can be attached before, and ends when its standard input does.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

static struct timespec length;
static int word, request[2], answer[2];

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

KEPT void sleep_innermost(void)
{
	nanosleep(&length, NULL);
	__asm__ volatile("" ::: "memory");
}

KEPT void wait_nanosleep(void)
{
	sleep_innermost();
	__asm__ volatile("" ::: "memory");
}

/* Nobody wakes it. */
KEPT void wait_futex(void)
{
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &length, NULL, 0);
	__asm__ volatile("" ::: "memory");
}

/* Answered after the length. */
KEPT void wait_pipe(void)
{
	char byte = 0;

	if (write(request[1], &byte, 1) != 1 || read(answer[0], &byte, 1) != 1)
		abort();
}

static void *answer_requests(void *unused)
{
	char byte;

	while (read(request[0], &byte, 1) == 1) {
		nanosleep(&length, NULL);
		if (write(answer[1], &byte, 1) != 1)
			break;
	}
	return unused;
}

static void repeat(const char *name, void (*wait)(void), long count)
{
	long long waited = 0, before, length;
	double squares = 0;

	for (long i = 0; i < count; i++) {
		before = now();
		wait();
		length = now() - before;
		waited += length;
		squares += (double)length * length;
	}
	printf("%s %ld %lld %.0f\n", name, count, waited, squares);
}

int main(int count, char **words)
{
	const char *kind = count > 3 ? words[3] : "";
	long microseconds = count > 1 ? atol(words[1]) : 1000, times = count > 2 ? atol(words[2]) : 100;
	pthread_t thread;
	char line[16];

	length.tv_sec = microseconds / 1000000;
	length.tv_nsec = microseconds % 1000000 * 1000;
	if (pipe(request) || pipe(answer) || pthread_create(&thread, NULL, answer_requests, NULL))
		return 1;
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (!*kind || strcmp(kind, "nanosleep") == 0)
		repeat("wait_nanosleep", wait_nanosleep, times);
	if (!*kind || strcmp(kind, "futex") == 0)
		repeat("wait_futex", wait_futex, times);
	if (!*kind || strcmp(kind, "pipe") == 0)
		repeat("wait_pipe", wait_pipe, times);
	printf("end\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}

/*
 * Makes eight threads, each in a deep stack of its own, before the first one stops: waiting for a condition, for a
 * lock, for a pipe, asleep, in a signal handler, in a callback of the C library, waiting for a thread, and spinning in
 * a leaf function.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "stop.h"

enum { THREADS = 8 };

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int pipes[2];
static pthread_t threads[THREADS];
static atomic_int ids[THREADS];
static atomic_int spinning;

OWN_FRAME void wait_for_condition(void)
{
	pthread_mutex_lock(&lock);
	for (;;)
		pthread_cond_wait(&condition, &lock);
}

OWN_FRAME void wait_for_lock(void)
{
	pthread_mutex_lock(&held);
	NO_TAIL_CALL;
}

OWN_FRAME void wait_for_pipe(void)
{
	char byte;
	USE((void *)read(pipes[0], &byte, 1));
	NO_TAIL_CALL;
}

OWN_FRAME void sleep_long(void)
{
	struct timespec duration = {.tv_sec = 1000};
	nanosleep(&duration, NULL);
	NO_TAIL_CALL;
}

OWN_FRAME void handler(int number)
{
	USE(&number);
	wait_for_pipe();
	NO_TAIL_CALL;
}

OWN_FRAME void handle_signal(void)
{
	raise(SIGUSR1);
	NO_TAIL_CALL;
}

OWN_FRAME int compare(const void *a, const void *b)
{
	wait_for_pipe();
	return *(const int *)a - *(const int *)b;
}

OWN_FRAME void sort(void)
{
	int values[] = {3, 1, 2};
	qsort(values, 3, sizeof *values, compare);
	NO_TAIL_CALL;
}

OWN_FRAME void wait_for_thread(void)
{
	pthread_join(threads[0], NULL);
	NO_TAIL_CALL;
}

OWN_FRAME void spin(void)
{
	for (;;)
		atomic_store(&spinning, 1);
}

static void (*const ends[THREADS])(void) = {
	wait_for_condition, wait_for_lock, wait_for_pipe, sleep_long, handle_signal, sort, wait_for_thread, spin,
};

OWN_FRAME void descend(void (*end)(void), int depth)
{
	char bytes[64];
	USE(bytes);
	if (depth == 0)
		end();
	else
		descend(end, depth - 1);
	USE(bytes);
}

OWN_FRAME void *start(void *argument)
{
	int number = (int)(long)argument;
	ids[number] = (int)syscall(SYS_gettid);
	descend(ends[number], 10 * (number + 1));
	return NULL;
}

/* Whether a thread sleeps: then it is where it is to be, for nothing sleeps on its way there. */
static int sleeps(int id)
{
	char path[64], state = 0;
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
	FILE *file = id ? fopen(path, "r") : NULL;
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

int main(void)
{
	pthread_attr_t attributes;
	sigset_t all;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 << 10);
	signal(SIGUSR1, handler);
	/* Whoever started this may have blocked signals. */
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	pthread_mutex_lock(&held);
	if (pipe(pipes) != 0)
		return 1;
	for (long i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], &attributes, start, (void *)i);
		while (ends[i] == spin ? !spinning : !sleeps(ids[i]))
			usleep(1000);
	}
	stop_here();
	return 0;
}

/*
 * Makes a stack of a program without shared libraries that is loaded anywhere: recursion through the C library's sort
 * and search, and a signal sent to oneself.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <signal.h>
#include <stdlib.h>
#include "stop.h"

static int depth;

OWN_FRAME void handler(int number)
{
	USE(&number);
	stop_here();
	NO_TAIL_CALL;
}

static void sort(void);

OWN_FRAME int compare(const void *a, const void *b)
{
	if (depth == 0)
		raise(SIGUSR1);
	else
		sort();
	NO_TAIL_CALL;
	return *(const int *)a - *(const int *)b;
}

OWN_FRAME static void sort(void)
{
	int values[] = {5, 2, 8, 1, 9, 3};
	depth--;
	if (depth % 2)
		qsort(values, 6, sizeof *values, compare);
	else
		USE(bsearch(&depth, values, 6, sizeof *values, compare));
	NO_TAIL_CALL;
}

int main(void)
{
	sigset_t all;
	signal(SIGUSR1, handler);
	/* Whoever started this may have blocked signals. */
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	depth = 20;
	sort();
	return 0;
}

/*
 * A small process. It runs for a millisecond, and then again every so many seconds as its argument says; without an argument
 * it ends at once.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void run_for_a_millisecond(void)
{
	struct timespec time;
	long end;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	end = time.tv_sec * 1000000000 + time.tv_nsec + 1000000;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	while (time.tv_sec * 1000000000 + time.tv_nsec < end);
}

int main(int number, char **words)
{
	double period;

	if (number < 2)
		return 0;
	period = atof(words[1]);
	run_for_a_millisecond();
	/* Not all at once. */
	usleep(getpid() % 1000 * period * 1000);
	while (1) {
		run_for_a_millisecond();
		usleep(period * 1000000);
	}
}

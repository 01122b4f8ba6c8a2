/* Uses CPU time in three functions, 50, 30 and 20 % of it, by the clock: shares SECONDS. Compiles as C and as C++.
 *
 * All of them spend it in the same function, so that only the stacks tell them apart. A round has 37 ms, which is not in step
 * with usual sampling frequencies. Their bodies differ so that no compiler merges them.
 *
 * Origin: own. Licence: Apache-2.0. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double used(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

__attribute__((noinline)) static uint64_t spin(uint64_t state)
{
	for (int i = 0; i < 5000; i++)
		state = state * 6364136223846793005u + 1442695040888963407u;
	return state;
}

__attribute__((noinline)) static uint64_t part50(uint64_t state, double until)
{
	while (used() < until)
		state ^= spin(state);
	return state + 1;
}

__attribute__((noinline)) static uint64_t part30(uint64_t state, double until)
{
	do
		state = spin(state + 3) >> 1;
	while (used() < until);
	return state ^ 5;
}

__attribute__((noinline)) static uint64_t part20(uint64_t state, double until)
{
	uint64_t sum = 0;

	while (used() < until)
		sum += spin(state - sum);
	return sum * 7;
}

int main(int count, char **arguments)
{
	double seconds = count > 1 ? atof(arguments[1]) : 1, begin = used();
	uint64_t state = 1;

	while (begin < seconds) {
		state = part50(state, begin + 0.0185);
		state = part30(state, begin + 0.0296);
		state = part20(state, begin + 0.037);
		begin += 0.037;
	}
	printf("%llu\n", (unsigned long long)state);
	return 0;
}

/*
 * Makes a stack that ends in the kernel's own code in user space: the vDSO, which is no file.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <time.h>
#include "stop.h"

OWN_FRAME long descend(int depth)
{
	struct timespec now = {0};
	long result;
	if (depth == 0)
		result = clock_gettime(CLOCK_MONOTONIC, &now);
	else
		result = descend(depth - 1);
	NO_TAIL_CALL;
	return result + now.tv_nsec;
}

int main(void)
{
	return descend(20) < 0;
}

/*
 * Makes a stack of 200 calls through frames of 1 KiB, each of them used, and stays there.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <string.h>
#include "stop.h"

OWN_FRAME int descend(int depth)
{
	char bytes[1 << 10];

	memset(bytes, depth, sizeof(bytes));
	USE(bytes);
	if (depth == 0)
		stop_here();
	else
		bytes[0] += descend(depth - 1);
	USE(bytes);
	return bytes[0];
}

int main(void)
{
	return descend(200);
}

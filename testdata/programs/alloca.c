/*
 * Makes a stack of frames whose sizes nobody knew at compile time: alloca in loops, and arrays of variable length.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <alloca.h>
#include "stop.h"

static long next(long depth);

OWN_FRAME long in_a_loop(long depth)
{
	char *bytes = 0;
	for (long i = 0; i <= depth % 5; i++) {
		bytes = alloca(100 * i + depth);
		USE(bytes);
	}
	long result = next(depth - 1);
	USE(bytes);
	return result + bytes[0];
}

OWN_FRAME long variable_length(long depth)
{
	long values[depth * 3 + 1];
	USE(values);
	long result = next(depth - 1);
	USE(values);
	return result + values[depth];
}

/* The call is made while the array exists, and again when it is gone. */
OWN_FRAME long in_a_block(long depth)
{
	long result = 0;
	{
		char bytes[depth * 100];
		USE(bytes);
		result += depth % 2 ? next(depth - 1) : bytes[0];
		USE(bytes);
	}
	if (depth % 2 == 0)
		result += next(depth - 1);
	NO_TAIL_CALL;
	return result;
}

OWN_FRAME static long next(long depth)
{
	long result = 0;
	if (depth <= 0)
		stop_here();
	else if (depth % 5 == 0)
		result = in_a_loop(depth);
	else if (depth % 5 < 3)
		result = variable_length(depth);
	else
		result = in_a_block(depth);
	NO_TAIL_CALL;
	return result;
}

int main(void)
{
	return (int)next(60) & 1;
}

/*
 * Makes a stack of 200 calls through functions whose frames differ: next to nothing, a buffer, all callee-saved
 * registers, arguments on the stack, and 48 KiB.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "stop.h"

static long next(long depth);

OWN_FRAME long bare(long depth)
{
	long result = next(depth - 1);
	NO_TAIL_CALL;
	return result;
}

OWN_FRAME long buffer(long depth)
{
	char bytes[200];
	USE(bytes);
	long result = next(depth - 1);
	USE(bytes);
	return result + bytes[depth % 200];
}

OWN_FRAME long registers(long depth, long *values)
{
	long a = values[0], b = values[1], c = values[2], d = values[3], e = values[4], f = values[5];
	long result = next(depth - 1);
	NO_TAIL_CALL;
	return result + a * 3 + b * 5 + c * 7 + d * 11 + e * 13 + f * 17 + depth;
}

OWN_FRAME long arguments(long a, long b, long c, long d, long e, long f, long g, long depth)
{
	long result = next(depth - 1);
	NO_TAIL_CALL;
	return result + a + b + c + d + e + f + g;
}

OWN_FRAME long large(long depth)
{
	char bytes[48 << 10];
	USE(bytes);
	long result = next(depth - 1);
	USE(bytes);
	return result + bytes[depth];
}

OWN_FRAME static long next(long depth)
{
	long values[6] = {1, 2, 3, 4, 5, 6};
	long result = 0;
	USE(values);
	if (depth == 0)
		stop_here();
	else if (depth % 20 == 3)
		result = large(depth);
	else if (depth % 4 == 0)
		result = bare(depth);
	else if (depth % 4 == 1)
		result = buffer(depth);
	else if (depth % 4 == 2)
		result = registers(depth, values);
	else
		result = arguments(1, 2, 3, 4, 5, 6, 7, depth);
	NO_TAIL_CALL;
	return result;
}

int main(int count, char **words)
{
	(void)words;
	return (int)next(99 + count) & 1;
}

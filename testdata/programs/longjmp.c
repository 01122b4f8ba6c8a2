/*
 * Makes the stacks of a longjmp: within it, where it has taken some registers from the buffer and others not yet, and
 * after it, in the function that it came back to, in the middle of a deep stack.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <setjmp.h>
#include "stop.h"

static jmp_buf buffer;

OWN_FRAME void jump(int depth)
{
	char bytes[100];
	USE(bytes);
	if (depth == 0)
		longjmp(buffer, 1);
	else
		jump(depth - 1);
	USE(bytes);
}

OWN_FRAME int come_back(int depth)
{
	int result = setjmp(buffer);
	if (result == 0)
		jump(depth);
	else
		stop_here();
	NO_TAIL_CALL;
	return result;
}

OWN_FRAME int descend(int depth)
{
	int result = depth == 0 ? come_back(30) : descend(depth - 1);
	NO_TAIL_CALL;
	return result;
}

int main(void)
{
	return descend(20) != 1;
}

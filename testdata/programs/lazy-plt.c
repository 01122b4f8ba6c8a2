/*
 * Makes a stack that ends in the binding of a call: the first call of a function of a shared library, in a program
 * that binds lazily.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "stop.h"

long bound_lazily(long depth);

OWN_FRAME long descend(long depth)
{
	long result = depth == 0 ? bound_lazily(depth) : descend(depth - 1);
	NO_TAIL_CALL;
	return result + depth;
}

int main(void)
{
	return (int)descend(20) & 1;
}

/*
 * Makes the stacks of a child of vfork, which are its parent's: within vfork itself, which keeps its return address in
 * a register, and in functions that the child calls before it ends.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <unistd.h>
#include "stop.h"

OWN_FRAME void child(int depth)
{
	char bytes[100];
	USE(bytes);
	if (depth == 0)
		stop_here();
	else
		child(depth - 1);
	USE(bytes);
}

OWN_FRAME int make_child(int depth)
{
	int result;
	if (depth > 0) {
		result = make_child(depth - 1);
	} else {
		result = vfork();
		if (result == 0) {
			child(5);
			_exit(0);
		}
	}
	NO_TAIL_CALL;
	return result;
}

int main(void)
{
	return make_child(20) <= 0;
}

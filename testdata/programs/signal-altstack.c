/*
 * Makes a stack over two stacks: a handler on an alternate signal stack interrupted deep recursion, and is itself
 * interrupted by another signal, whose handler goes on there. Both signals are illegal instructions or loads from an
 * address that isn't mapped, so that they come where the program says.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include "stop.h"

static char other_stack[64 << 10];

OWN_FRAME void handle_deeper(int depth)
{
	char bytes[100];
	USE(bytes);
	if (depth == 0)
		stop_here();
	else
		handle_deeper(depth - 1);
	USE(bytes);
}

OWN_FRAME long leaf(long *values)
{
	return values[1] + values[0];
}

OWN_FRAME void second_handler(int number)
{
	handle_deeper(number);
	NO_TAIL_CALL;
}

OWN_FRAME void first_handler(int number)
{
	stop_here();
	for (volatile int i = 0; i < number; i++)
		;
	__asm__ volatile("ud2");
	NO_TAIL_CALL;
}

OWN_FRAME long descend(int depth)
{
	long result = depth == 0 ? leaf((long *)0x10) : descend(depth - 1);
	NO_TAIL_CALL;
	return result;
}

int main(void)
{
	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
	sigaltstack(&stack, NULL);
	struct sigaction first = {.sa_handler = first_handler, .sa_flags = SA_ONSTACK};
	sigaction(SIGSEGV, &first, NULL);
	struct sigaction second = {.sa_handler = second_handler, .sa_flags = SA_ONSTACK};
	sigaction(SIGILL, &second, NULL);
	return (int)descend(30);
}

/*
 * Makes stacks in which a signal handler interrupted a leaf function that has no frame: at its first instruction, where
 * the byte before belongs to another function, in its middle, behind pushes, and while it uses the red zone. Their
 * faults are loads from an address that isn't mapped. Last a call that never returns at the end of a function, whose
 * return address belongs to the next one. All go on with a jump to main.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include "stop.h"

static sigjmp_buf done;

/*
 * The call that ends the first one never returns: its return address is the first instruction of the second, whose CFA
 * is another.
 */
__asm__(".text\n"
	".globl ends_in_a_call\n"
	".type ends_in_a_call, @function\n"
	"ends_in_a_call:\n"
	"	.cfi_startproc\n"
	"	sub $40, %rsp\n"
	"	.cfi_adjust_cfa_offset 40\n"
	"	call never_returns\n"
	"	.cfi_endproc\n"
	"	.size ends_in_a_call, .-ends_in_a_call\n"
	".globl leaf_first_instruction\n"
	".type leaf_first_instruction, @function\n"
	"leaf_first_instruction:\n"
	"	.cfi_startproc\n"
	"	movq (%rdi), %rax\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size leaf_first_instruction, .-leaf_first_instruction\n");
void ends_in_a_call(void);
long leaf_first_instruction(long *values);

OWN_FRAME long leaf_middle(long *values, long count)
{
	long sum = 0;
	for (long i = 0; i < count; i++)
		sum = sum * 31 + values[i];
	return sum;
}

OWN_FRAME long leaf_behind_pushes(long *values, long count)
{
	long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12;
	while (count-- > 0) {
		a += b ^ c;
		b += c ^ d;
		c += d ^ e;
		d += e ^ f;
		e += f ^ g;
		f += g ^ h;
		g += h ^ i;
		h += i ^ j;
		i += j ^ k;
		j += k ^ l;
		k += l ^ a;
		l += a ^ *values++;
	}
	return a + b + c + d + e + f + g + h + i + j + k + l;
}

OWN_FRAME long leaf_red_zone(long *values, long count)
{
	volatile long kept[12];
	for (long i = 0; i < 12; i++)
		kept[i] = i * count;
	for (long i = 0; i < count; i++)
		kept[i % 12] += values[i];
	return kept[count % 12];
}

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

OWN_FRAME void handler(int number, siginfo_t *info, void *context)
{
	USE(info);
	USE(context);
	handle_deeper(3);
	siglongjmp(done, number);
}

OWN_FRAME void never_returns(void)
{
	stop_here();
	siglongjmp(done, 1);
}

OWN_FRAME void fault(int kind, long *values, int depth)
{
	if (depth > 0)
		fault(kind, values, depth - 1);
	else if (kind == 0)
		leaf_first_instruction(values);
	else if (kind == 1)
		leaf_middle(values, 10);
	else if (kind == 2)
		leaf_behind_pushes(values, 10);
	else if (kind == 3)
		leaf_red_zone(values, 10);
	else
		ends_in_a_call();
	NO_TAIL_CALL;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
	for (volatile int kind = 0; kind < 5; kind++) {
		if (sigsetjmp(done, 1) == 0)
			fault(kind, (long *)0x10, 10);
	}
	return 0;
}

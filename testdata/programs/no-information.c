/*
 * Stays on CPU in, or below, assembly without call frame information (x86-64): KIND.
 *
 *   leaf       a leaf that doesn't touch the frame pointer, which is that of its caller's caller
 *   zeros      its frame pointer leads to zeros
 *   restorer   a signal handler returns to code that calls rt_sigreturn, right behind a function that has information
 *   thread     what called is code that ends the thread
 *   vsyscall   calls time(2) in the page that all processes have
 *   stale      it keeps its frame pointer, and below its frame an address behind a call is left over
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "stop.h"

__asm__(".text\n"
	".globl leaf, zeros, stale\n"
	".type leaf, @function\n"
	"leaf:	jmp leaf\n"
	"	.size leaf, .-leaf\n"
	".type zeros, @function\n"
	"zeros:	push %rbp\n"
	"	push $0\n"
	"	push $0\n"
	"	mov %rsp, %rbp\n"
	"1:	jmp 1b\n"
	"	.size zeros, .-zeros\n"
	".type stale, @function\n"
	"stale:	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	push %rdi\n"
	"1:	jmp 1b\n"
	"	.size stale, .-stale\n"
	/* The byte before the restorer is a function's last instruction, whose CFA would be another. */
	".globl before_restorer, restorer\n"
	".type before_restorer, @function\n"
	"before_restorer:\n"
	"	jmp before_restorer\n"
	"	.size before_restorer, .-before_restorer\n"
	".type restorer, @function\n"
	"restorer:\n"
	"	mov $15, %eax\n"
	"	syscall\n"
	"	.size restorer, .-restorer\n"
	".globl starts_thread\n"
	".type starts_thread, @function\n"
	"starts_thread:\n"
	"	push %rbx\n"
	"	call *%rdi\n"
	"	mov %eax, %edi\n"
	"	xor %eax, %eax\n"
	"	mov $60, %al\n"
	"	syscall\n"
	"	.size starts_thread, .-starts_thread\n");
void leaf(void);
void zeros(void);
void stale(void *left_over);
void restorer(void);
void starts_thread(void (*function)(void));

OWN_FRAME void spin(void)
{
	for (;;)
		__asm__ volatile("nop");
}

OWN_FRAME void parent(void (*function)(void))
{
	if (function == leaf)
		leaf();
	NO_TAIL_CALL;
}

/* The only one that keeps its frame pointer. */
OWN_FRAME __attribute__((optimize("no-omit-frame-pointer"))) void grandparent(void (*function)(void))
{
	volatile char bytes[64];

	bytes[0] = 1;
	parent(function);
	bytes[1] = bytes[0];
}

OWN_FRAME __attribute__((optimize("no-omit-frame-pointer"))) void keeps_frame_pointer(void)
{
	volatile char bytes[64];

	bytes[0] = 1;
	stale((void *)__builtin_return_address(0));
	bytes[1] = bytes[0];
}

OWN_FRAME void handler(int number)
{
	USE(&number);
	spin();
	NO_TAIL_CALL;
}

OWN_FRAME void interrupted(void)
{
	__asm__ volatile("ud2");
	NO_TAIL_CALL;
}

OWN_FRAME void calls_vsyscall(void)
{
	long (*volatile time)(long *) = (long (*)(long *))0xffffffffff600400;

	for (;;)
		time(0);
}

OWN_FRAME void body(void)
{
	spin();
	NO_TAIL_CALL;
}

/* As the kernel has it: the C library puts its own restorer there. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

int main(int count, char **words)
{
	const char *kind = count > 1 ? words[1] : "";

	if (!strcmp(kind, "leaf"))
		grandparent(leaf);
	else if (!strcmp(kind, "zeros"))
		zeros();
	else if (!strcmp(kind, "stale"))
		keeps_frame_pointer();
	else if (!strcmp(kind, "restorer")) {
		struct kernel_action action = {handler, 0x04000000 /* SA_RESTORER */, restorer, 0};

		syscall(SYS_rt_sigaction, SIGILL, &action, 0, 8);
		interrupted();
	} else if (!strcmp(kind, "vsyscall"))
		calls_vsyscall();
	else if (!strcmp(kind, "thread"))
		starts_thread(body);
	return 1;
}

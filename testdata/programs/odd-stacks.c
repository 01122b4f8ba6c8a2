/*
 * Makes stacks that are not as others, and stays in them on CPU: KIND [NUMBER].
 *
 *   depth N     recursion, so that there are N frames of this program's own above main
 *   made        code made at run time, in memory of no file, calls back
 *   itself      a frame whose caller is itself
 *   two         two frames, each the other's caller
 *   nowhere     the stack pointer leads to memory that is not mapped
 *   fork N      a child that works from its first instruction on, N milliseconds, and ends; again and again
 *   bind        a child that calls functions of the C library for the first time, and ends; again and again
 *   library L   a function of a library that is opened only now
 *   exec P      work, and at SIGUSR1 another program
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "stop.h"

OWN_FRAME void spin(void)
{
	for (;;)
		__asm__ volatile("nop");
}

/* On CPU for so many milliseconds. */
OWN_FRAME void work(long milliseconds)
{
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (volatile int i = 0; i < 10000; i++)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < milliseconds);
}

OWN_FRAME void descend(long depth)
{
	if (depth <= 2)
		spin();
	else
		descend(depth - 1);
	NO_TAIL_CALL;
}

/* push %rbp; mov %rsp, %rbp; call *%rdi; pop %rbp; ret */
static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

OWN_FRAME void call_made_code(void)
{
	void *memory = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		exit(1);
	memcpy(memory, code, sizeof(code));
	((void (*)(void (*)(void)))memory)(spin);
	NO_TAIL_CALL;
}

/* With the frame pointer that is given: rules that say what every compiler's do. Never returns. */
__asm__(".text\n"
	".globl with_frame, with_other_frame, without_stack\n"
	".type with_frame, @function\n"
	"with_frame:\n"
	"	.cfi_startproc\n"
	"	.cfi_def_cfa %rbp, 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	mov %rdi, %rbp\n"
	"1:	jmp 1b\n"
	"	.cfi_endproc\n"
	".size with_frame, .-with_frame\n"
	".type with_other_frame, @function\n"
	"with_other_frame:\n"
	"	.cfi_startproc\n"
	"	.cfi_def_cfa %rbp, 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	nop\n"
	"	nop\n"
	"	.cfi_endproc\n"
	".size with_other_frame, .-with_other_frame\n"
	".type without_stack, @function\n"
	"without_stack:\n"
	"	.cfi_startproc\n"
	"	mov %rdi, %rsp\n"
	"1:	jmp 1b\n"
	"	.cfi_endproc\n"
	".size without_stack, .-without_stack\n");
void with_frame(void *frame);
void with_other_frame(void);
void without_stack(void *stack);

/* A frame: the caller's frame pointer, and where it returns to. */
static struct frame {
	struct frame *fp;
	char *pc;
} one, two;

OWN_FRAME void fork_on(long milliseconds)
{
	for (;;) {
		pid_t child = fork();
		if (child == 0) {
			work(milliseconds);
			_exit(0);
		}
		waitpid(child, 0, 0);
	}
}

OWN_FRAME void bind_on(void)
{
	for (;;) {
		pid_t child = fork();
		if (child == 0) {
			char *end;
			USE((void *)(long)(getpid() + getuid() + getgid() + getppid() + geteuid() + getegid()));
			USE((void *)(strtol("1", &end, 0) + rand() + isatty(0) + sysconf(_SC_PAGESIZE)));
			_exit(0);
		}
		waitpid(child, 0, 0);
	}
}

OWN_FRAME void open_library(const char *path)
{
	usleep(300000);
	void *library = dlopen(path, RTLD_NOW);
	void (*function)(void) = library ? (void (*)(void))dlsym(library, "stop_here") : 0;
	if (!function)
		exit(1);
	function();
	NO_TAIL_CALL;
}

static volatile sig_atomic_t goes_on;
static void go_on(int signal) { goes_on = signal; }

int main(int count, char **words)
{
	const char *kind = count > 1 ? words[1] : "", *word = count > 2 ? words[2] : "";

	if (!strcmp(kind, "depth"))
		descend(atol(word));
	else if (!strcmp(kind, "made"))
		call_made_code();
	else if (!strcmp(kind, "itself") || !strcmp(kind, "two")) {
		one = (struct frame){strcmp(kind, "two") ? &one : &two, (char *)with_frame + 4};
		two = (struct frame){&one, (char *)with_other_frame + 1};
		with_frame(&one);
	} else if (!strcmp(kind, "nowhere"))
		without_stack((void *)0x10000);
	else if (!strcmp(kind, "fork"))
		fork_on(atol(word));
	else if (!strcmp(kind, "bind"))
		bind_on();
	else if (!strcmp(kind, "library"))
		open_library(word);
	else if (!strcmp(kind, "exec")) {
		signal(SIGUSR1, go_on);
		while (!goes_on)
			work(1);
		execl(word, word, "depth", "10", (char *)0);
	}
	return 1;
}

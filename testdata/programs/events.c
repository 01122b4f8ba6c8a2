/*
 * Makes an event happen a known number of times, in a known stack.
 *
 *     events KIND COUNT       KIND is touch (page faults), call (the system call getppid), or fault (page faults of the
 *                             kernel, below frames that have memory pages which nobody touched)
 *
 * Starts when it reads a line, so that a profiler can be attached before; then prints "end", and ends when its standard
 * input does.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

/* The first write to an anonymous memory page is one fault. */
KEPT void touch_page(volatile char *page)
{
	*page = 1;
	__asm__ volatile("" ::: "memory");
}

KEPT void touch_pages(long count)
{
	long size = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, count * size, MADV_NOHUGEPAGE))
		abort();
	for (long page = 0; page < count; page++)
		touch_page(memory + page * size);
	__asm__ volatile("" ::: "memory");
}

KEPT void call_once(void)
{
	syscall(SYS_getppid);
	__asm__ volatile("" ::: "memory");
}

KEPT void call_repeatedly(long count)
{
	for (long call = 0; call < count; call++)
		call_once();
	__asm__ volatile("" ::: "memory");
}

/* The kernel writes to new memory pages. */
KEPT void have_kernel_touch_pages(long count)
{
	long size = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int zeros = open("/dev/zero", O_RDONLY);

	if (memory == MAP_FAILED || zeros < 0 || madvise(memory, count * size, MADV_NOHUGEPAGE))
		abort();
	for (long page = 0; page < count; page++)
		if (read(zeros, memory + page * size, 1) != 1)
			abort();
	__asm__ volatile("" ::: "memory");
}

/* Each frame ends at another distance from the next memory page, which is not there. */
KEPT void descend(int levels, long count)
{
	char gap[2 * 4096 + 272];

	__asm__ volatile("" : : "r"(gap) : "memory");
	if (levels)
		descend(levels - 1, count);
	else
		have_kernel_touch_pages(count);
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;

	puts("begun");
	fflush(stdout);
	if (getchar() != '\n')
		return 1;
	if (argc > 1 && !strcmp(argv[1], "touch"))
		touch_pages(count);
	else if (argc > 1 && !strcmp(argv[1], "fault"))
		descend(31, count);
	else
		call_repeatedly(count);
	puts("end");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

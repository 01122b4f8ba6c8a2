/*
 * A library whose function runs for some milliseconds, a few calls deep, beside many functions with call frame information,
 * which make its table large. NUMBER makes libraries differ, FUNCTIONS says how many functions there are.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <time.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static volatile int sink;

__attribute__((noinline)) static int spin(int milliseconds)
{
	struct timespec time;
	long end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	end = time.tv_sec * 1000000000 + time.tv_nsec + milliseconds * 1000000L;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	while (time.tv_sec * 1000000000 + time.tv_nsec < end);
	return ++sink;
}

/* So that each library's functions have frames of other sizes. */
__attribute__((noinline)) static int deep(int milliseconds)
{
	volatile char room[64 * (NUMBER + 1)];

	room[0] = NUMBER;
	return spin(milliseconds) + room[0];
}

__attribute__((noinline)) int work(int milliseconds)
{
	volatile int result = deep(milliseconds);

	return result + 1;
}

/* Functions that nobody calls. Their frames' sizes follow no pattern, so that few rules are shared. */
#ifdef __x86_64__
__asm__(".text\n"
	".set size, " TEXT(NUMBER) " * 12345 + 1\n"
	".rept " TEXT(FUNCTIONS) "\n"
	".cfi_startproc\n"
	"push %rbx\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset %rbx, -16\n"
	".set size, (size * 1103515245 + 12345) & 0x7fffffff\n"
	".set frame, 8 * ((size >> 8) & 0x3ff) + 8\n"
	"sub $frame, %rsp\n"
	".cfi_def_cfa_offset 16 + frame\n"
	"add $frame, %rsp\n"
	".cfi_def_cfa_offset 16\n"
	"pop %rbx\n"
	".cfi_def_cfa_offset 8\n"
	"ret\n"
	".cfi_endproc\n"
	".p2align 4\n"
	".endr\n");
#else
__asm__(".text\n"
	".set size, " TEXT(NUMBER) " * 12345 + 1\n"
	".rept " TEXT(FUNCTIONS) "\n"
	".cfi_startproc\n"
	".set size, (size * 1103515245 + 12345) & 0x7fffffff\n"
	".set frame, 16 * ((size >> 8) & 0xff) + 16\n"
	"sub sp, sp, #frame\n"
	".cfi_def_cfa_offset frame\n"
	"str x30, [sp]\n"
	".cfi_offset 30, -frame\n"
	"ldr x30, [sp]\n"
	".cfi_restore 30\n"
	"add sp, sp, #frame\n"
	".cfi_def_cfa_offset 0\n"
	"ret\n"
	".cfi_endproc\n"
	".endr\n");
#endif

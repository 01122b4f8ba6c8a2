/*
 * Makes a chain of DEPTH calls of functions with various kinds of frames, and stays in the innermost one.
 *
 *     chain FILE KINDS DEPTH END
 *
 * KINDS of frames: plain, alloca, realigned, mixed. END of the chain: spin; kernel, which spends most of its time in
 * system calls; last-call, where a call is a function's last instruction; signal and signal-on-its-own-stack, where a
 * signal interrupts the chain and its handler makes another chain; wait, which sleeps WAITS times when it is told to;
 * execute, which executes this program again when it is told to; stack-start, in code without call frame information
 * that runs where the process's stack begins.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "workload.h"

typedef long kind(long depth);

static struct known_stack *known;
static kind *const *kinds;
static long kind_count, depth_in_handler;
static kind *end;

/* Calls the next function from a frame at `depth`. */
#define NEXT(depth) ((depth) > 0 ? kinds[(depth) % kind_count]((depth) - 1) : end(0))

OWN_FRAME static long bare(long depth)
{
	RECORD(known);
	return NEXT(depth) + 1;
}

OWN_FRAME static long buffer(long depth)
{
	char bytes[200];

	RECORD(known);
	USE(bytes);
	long result = NEXT(depth);
	USE(bytes);
	return result + bytes[0];
}

/* Uses more values than there are callee-saved registers. */
OWN_FRAME static long registers(long depth)
{
	long a = depth * 3, b = depth * 5, c = depth * 7, d = depth * 11, e = depth * 13, f = depth * 17, g = depth * 19;

	RECORD(known);
	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
	long result = NEXT(depth);
	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
	return result + (a ^ b ^ c ^ d ^ e ^ f ^ g);
}

OWN_FRAME static long with_alloca(long depth)
{
	RECORD(known);
	char *bytes = alloca(depth % 64 * 16 + 1);
	USE(bytes);
	long result = NEXT(depth);
	USE(bytes);
	return result + bytes[0];
}

OWN_FRAME static long variable_length(long depth)
{
	char bytes[depth % 32 + 8], fixed[40];

	RECORD(known);
	USE(bytes);
	USE(fixed);
	long result = NEXT(depth);
	USE(fixed);
	return result + bytes[depth % 8] + fixed[1];
}

OWN_FRAME static long realigned(long depth)
{
	_Alignas(64) char bytes[100];

	RECORD(known);
	USE(bytes);
	long result = NEXT(depth);
	USE(bytes);
	return result + bytes[0];
}

/* Has arguments on the stack, so that the frame saves the former stack pointer, from which the CFA is computed. */
OWN_FRAME static long called_with_arguments(
	long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long depth)
{
	_Alignas(64) char bytes[64];
	char *more = alloca(depth % 16 * 16 + 1);

	RECORD(known);
	USE(bytes);
	USE(more);
	long result = NEXT(depth);
	USE(more);
	return result + a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j + bytes[1] + more[0];
}

OWN_FRAME static long with_arguments(long depth)
{
	RECORD(known);
	return depth > 0 ? called_with_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, depth - 1) + 1 : end(0) + 1;
}

static kind *const all[] = {
	bare, buffer, registers, with_alloca, variable_length, realigned, with_arguments, bare, realigned};

static const struct {
	const char *name;
	long first, count;
} selections[] = {{"plain", 0, 3}, {"alloca", 2, 3}, {"realigned", 5, 4}, {"mixed", 0, 9}};

OWN_FRAME IN_SECTION(spin_code) static long spin(long depth)
{
	RECORD(known);
	/* Set within the loop, so that it is in its final code when it becomes ready. */
	for (;;)
		known->ready = 1;
	return depth;
}

/* The instruction after the call belongs to another function, which has a different frame. */
__asm__(".text\n"
#if defined(__x86_64__)
	"ends_in_a_call:\n"
	"	.cfi_startproc\n"
	"	mov (%rsp), %rsi\n"
	"	sub $40, %rsp\n"
	"	.cfi_adjust_cfa_offset 40\n"
	"	call spin_called_last\n"
	"	.cfi_endproc\n"
#else
	"	.balign 4\n"
	"ends_in_a_call:\n"
	"	.cfi_startproc\n"
	"	mov x1, x30\n"
	"	stp x29, x30, [sp, -32]!\n"
	"	.cfi_def_cfa_offset 32\n"
	"	.cfi_offset x29, -32\n"
	"	.cfi_offset x30, -24\n"
	"	bl spin_called_last\n"
	"	.cfi_endproc\n"
#endif
	"	.cfi_startproc\n"
	"	ret\n"
	"	.cfi_endproc\n");
extern __attribute__((visibility("hidden"))) long ends_in_a_call(long depth);

OWN_FRAME IN_SECTION(spin_code) __attribute__((used, visibility("hidden")))
void spin_called_last(long depth, __u64 return_address)
{
	record(known, return_address);
	RECORD(known);
	for (;;)
		known->ready = 1;
	(void)depth;
}

OWN_FRAME static long call_at_last(long depth)
{
	RECORD(known);
	return ends_in_a_call(depth) + 1;
}

OWN_FRAME IN_SECTION(spin_code) static long read_zeros(long file, char *bytes, long size)
{
	RECORD(known);
	for (;;) {
		known->ready = 1;
#if defined(__x86_64__)
		long result = SYS_read;
		__asm__ volatile("syscall" : "+a"(result) : "D"(file), "S"(bytes), "d"(size) : "rcx", "r11", "memory");
#else
		register long result __asm__("x0") = file;
		register long number __asm__("x8") = SYS_read;
		register char *second __asm__("x1") = bytes;
		register long third __asm__("x2") = size;
		__asm__ volatile("svc #0" : "+r"(result) : "r"(number), "r"(second), "r"(third) : "memory");
#endif
	}
	return 0;
}

OWN_FRAME static long spin_in_kernel(long depth)
{
	static char bytes[1 << 20];
	int file = open("/dev/zero", O_RDONLY);

	RECORD(known);
	known->in_kernel = 1;
	return read_zeros(file, bytes, sizeof(bytes)) + depth;
}

#define WAITS 50

static __u64 nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* Sleeps in code of its own section, so that its return address is there. */
OWN_FRAME IN_SECTION(spin_code) static long wait_often(long depth)
{
	const struct timespec length = {.tv_nsec = 20000000};

	RECORD(known);
	known->ready = 1;
	while (!known->go)
		;
	for (int i = 0; i < WAITS; i++) {
		__u64 before = nanoseconds();
#if defined(__x86_64__)
		long result = SYS_nanosleep;
		__asm__ volatile("syscall" : "+a"(result) : "D"(&length), "S"(0) : "rcx", "r11", "memory");
#else
		register const void *first __asm__("x0") = &length;
		register long number __asm__("x8") = SYS_nanosleep;
		register void *second __asm__("x1") = 0;
		__asm__ volatile("svc #0" : "+r"(first) : "r"(number), "r"(second) : "memory");
#endif
		known->waited += nanoseconds() - before;
	}
	known->done = 1;
	for (;;)
		USE(known);
	return depth;
}

/* Takes memory whose pages the kernel has to free one by one. */
static void take_pages(void)
{
	const long size = 4 << 20;
	char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		abort();
	/* Fails where there are no huge pages. */
	madvise(bytes, size, MADV_NOHUGEPAGE);
	for (long i = 0; i < size; i += 4096)
		((volatile char *)bytes)[i] = 1;
}

static char **arguments;

/* Executes this program again, for another stack. */
OWN_FRAME static void execute(void)
{
	char *words[] = {arguments[0], arguments[1], "plain", "20", "pages", NULL};

	known->frame_count = 0;
	known->place_count = 0;
	known->ready = 0;
	known->done = 1;
	execv(words[0], words);
	abort();
}

OWN_FRAME IN_SECTION(spin_code) static long spin_until_told(long depth)
{
	RECORD(known);
	while (!known->go)
		known->ready = 1;
	execute();
	return depth;
}

/* Calls from where the kernel began the program: the stack pointer is the argument. Nothing describes its frame. */
__asm__(".text\n"
#if defined(__x86_64__)
	"run_at_stack_start:\n"
	"	mov %rdi, %rsp\n"
	"	call spin_at_stack_start\n"
	"	ud2\n"
#else
	"	.balign 4\n"
	"run_at_stack_start:\n"
	"	mov sp, x0\n"
	"	bl spin_at_stack_start\n"
	"	brk #1\n"
#endif
);
extern __attribute__((visibility("hidden"))) void run_at_stack_start(void *stack);

OWN_FRAME IN_SECTION(spin_code) __attribute__((used, visibility("hidden"))) void spin_at_stack_start(void)
{
	RECORD(known);
	for (;;)
		known->ready = 1;
}

/* There the kernel put the number of arguments, and then the arguments. All frames so far are given up. */
OWN_FRAME static long go_to_stack_start(long depth)
{
	known->frame_count = 0;
	run_at_stack_start((long *)arguments - 1);
	return depth;
}

static void handler(int number, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;

#if defined(__x86_64__)
	record(known, (__u64)interrupted->uc_mcontext.gregs[REG_RIP] | CFIC_SAMPLE_EXACT);
#else
	/* The rule of the vDSO's code to which it returns is inferred. */
	record(known, (__u64)interrupted->uc_mcontext.pc | CFIC_SAMPLE_EXACT | CFIC_SAMPLE_INFERRED);
#endif
	/* A handler's return address doesn't follow a call, so samples have it as exact. */
	record(known, (__u64)__builtin_return_address(0) | CFIC_SAMPLE_EXACT);
	USE(info);
	end = spin;
	known->reserved = NEXT(depth_in_handler) + number;
}

OWN_FRAME static long wait_for_signal(long depth)
{
	struct itimerval soon = {.it_value.tv_usec = 10000};
	volatile long turns = depth;

	RECORD(known);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (;;)
		turns++;
	return turns;
}

static void handle_signals(int flags)
{
	static char bytes[1 << 20];
	stack_t stack = {.ss_sp = bytes, .ss_size = sizeof(bytes)};
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGALRM, &action, NULL) != 0)
		abort();
	end = wait_for_signal;
}

/*
 * The number of frames whose stored return address isn't the plain address, because it is signed. One signature in 128
 * is zero, because signatures have few bits.
 */
OWN_FRAME static int count_signed(int frames)
{
	const __u64 *frame = __builtin_frame_address(0);
	int is_signed;

	USE(frame);
	is_signed = frame[1] != (__u64)__builtin_return_address(0);
	return frames > 1 ? count_signed(frames - 1) + is_signed : is_signed;
}

int main(int count, char **words)
{
	if (count != 5)
		return 64;
	known = map_known(words);
	arguments = words;
	RECORD(known);
	ADD_PLACE(known, spin_code);
	known->is_signed = count_signed(32) > 16;
	for (size_t i = 0; i < sizeof(selections) / sizeof(selections[0]); i++) {
		if (strcmp(words[2], selections[i].name) == 0) {
			kinds = all + selections[i].first;
			kind_count = selections[i].count;
		}
	}
	end = strcmp(words[4], "kernel") == 0 ? spin_in_kernel : spin;
	if (strcmp(words[4], "wait") == 0)
		end = wait_often;
	if (strcmp(words[4], "execute") == 0)
		end = spin_until_told;
	if (strcmp(words[4], "execute") == 0 || strcmp(words[4], "pages") == 0)
		take_pages();
	if (strcmp(words[4], "stack-start") == 0)
		end = go_to_stack_start;
	if (strcmp(words[4], "last-call") == 0)
		end = call_at_last;
	depth_in_handler = atol(words[3]);
	if (strcmp(words[4], "signal") == 0)
		handle_signals(0);
	if (strcmp(words[4], "signal-on-its-own-stack") == 0)
		handle_signals(SA_ONSTACK);
	return (int)NEXT(atol(words[3]));
}

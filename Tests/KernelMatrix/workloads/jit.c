/*
 * Code generated at run time: a function without call frame information calls a function of the file, which calls
 * another generated function, which stays there. Both generated functions maintain the frame pointer as compilers do.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <string.h>

#include "workload.h"

/*
 * Copied into anonymous memory. `calls` calls its argument. `stays` sets the first argument's target to 1 while it
 * stays there, and merges its return address into the second's.
 */
__asm__(".section .rodata\n"
#if defined(__x86_64__)
	"calls:	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	call *%rdi\n"
	"	pop %rbp\n"
	"	ret\n"
	"stays:	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	mov 8(%rbp), %rax\n"
	"	or %rax, (%rsi)\n"
	"loop:	movl $1, (%rdi)\n"
	"	jmp loop\n"
#else
	"	.balign 4\n"
	"calls:	stp x29, x30, [sp, -16]!\n"
	"	mov x29, sp\n"
	"	blr x0\n"
	"	ldp x29, x30, [sp], 16\n"
	"	ret\n"
	"stays:	stp x29, x30, [sp, -16]!\n"
	"	mov x29, sp\n"
	"	ldr x2, [x1]\n"
	"	orr x2, x2, x30\n"
	"	str x2, [x1]\n"
	"	mov w2, 1\n"
	"loop:	str w2, [x0]\n"
	"	b loop\n"
#endif
	"over:	.previous\n");
extern __attribute__((visibility("hidden"))) const char calls[], stays[], loop[], over[];

static struct known_stack *known;
static char *made;

OWN_FRAME static void called_by_made_code(void)
{
	const __u64 *frame = __builtin_frame_address(0), *caller = (const __u64 *)frame[0];
	void (*stay)(volatile __u32 *ready, __u64 *pc) = (void *)(made + (stays - calls));

	record(known, caller[1]);
	RECORD(known);
	record(known, 0);
	/* The innermost frame's caller is a guess, and therefore all further frames are, too. */
	for (__u32 i = 0; i < known->frame_count; i++)
		known->frames[i] |= CFIC_SAMPLE_GUESSED;
	stay(&known->ready, &known->frames[known->frame_count - 1]);
	/* Prevents a tail call. */
	USE(frame);
}

OWN_FRAME static long descend(long depth)
{
	RECORD(known);
	if (depth > 0)
		return descend(depth - 1) + 1;
	((void (*)(void (*)(void)))made)(called_by_made_code);
	return depth + 1;
}

int main(int count, char **words)
{
	known = map_known(words);
	RECORD(known);
	made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		abort();
	memcpy(made, calls, over - calls);
	__builtin___clear_cache(made, made + (over - calls));
	add_place(known, made + (loop - calls), made + (over - calls));
	return (int)descend(10) + count;
}

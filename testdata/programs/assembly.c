/*
 * Hand-written assembly as cryptographic libraries have it: a stack that is realigned, so that the CFA is in memory on
 * the stack; every register in use; a helper without a symbol, which is called in the middle with arguments in registers
 * of its own choice; a way out through a copy of the former stack pointer. Its call frame information is right at each
 * instruction.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "stop.h"

__asm__(".text\n"
	".globl digest\n"
	".type digest, @function\n"
	"digest:\n"
	"	.cfi_startproc\n"
	"	mov %rsp, %rax\n"
	"	.cfi_def_cfa_register %rax\n"
	"	push %rbx\n"
	"	.cfi_offset %rbx, -16\n"
	"	push %rbp\n"
	"	.cfi_offset %rbp, -24\n"
	"	push %r12\n"
	"	.cfi_offset %r12, -32\n"
	"	push %r13\n"
	"	.cfi_offset %r13, -40\n"
	"	sub $100, %rsp\n"
	"	and $-64, %rsp\n"
	"	mov %rax, 64(%rsp)\n"
	/* CFA: the word at rsp + 64, and 8. */
	"	.cfi_escape 0x0f, 6, 0x77, 0xc0, 0, 0x06, 0x23, 8\n"
	"	mov %rdi, %rbx\n"
	"	mov %rsi, %rbp\n"
	"	xor %r12d, %r12d\n"
	".Lnext:\n"
	"	mov (%rbx), %r13\n"
	/* The address after the helper's call is 8 bytes further down. */
	"	call .Lmix\n"
	"	add $8, %rbx\n"
	"	dec %rbp\n"
	"	jnz .Lnext\n"
	"	mov 64(%rsp), %rsi\n"
	"	.cfi_def_cfa %rsi, 8\n"
	"	mov %r12, %rax\n"
	"	mov -32(%rsi), %r13\n"
	"	.cfi_restore %r13\n"
	"	mov -24(%rsi), %r12\n"
	"	.cfi_restore %r12\n"
	"	mov -16(%rsi), %rbp\n"
	"	.cfi_restore %rbp\n"
	"	mov -8(%rsi), %rbx\n"
	"	.cfi_restore %rbx\n"
	"	lea (%rsi), %rsp\n"
	"	.cfi_def_cfa_register %rsp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size digest, .-digest\n"
	"	.align 32\n"
	".Lmix:\n"
	"	.cfi_startproc\n"
	"	rol $7, %r12\n"
	"	push %r13\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	xor %r13, %r12\n"
	"	shr $3, %r13\n"
	"	add %r13, %r12\n"
	"	pop %r13\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	add %r13, %r12\n"
	"	ret\n"
	"	.cfi_endproc\n");
long digest(const long *words, long count);

OWN_FRAME long descend(int depth, const long *words)
{
	long sum = depth > 0 ? descend(depth - 1, words) : digest(words, 8);
	NO_TAIL_CALL;
	return sum;
}

int main(void)
{
	static const long words[8] = {3, 1, 4, 1, 5, 9, 2, 6};
	static volatile long sum;
	sum += descend(20, words);
	return 0;
}

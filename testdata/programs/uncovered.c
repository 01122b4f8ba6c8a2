/*
 * Runs assembly without call frame information, which has no frame pointers either (x86-64): main calls
 * `outer`, which calls `inner` all the time. `middle` is called through a pointer, calls `inner` below an aligned
 * frame, and keeps the frame pointer's register for something else.
 *
 * Origin: own. Licence: Apache-2.0.
 */
__asm__(".text\n"
	".globl outer\n"
	".type outer, @function\n"
	"outer:	push %rbx\n"
	"	push %rbp\n"
	"	sub $40, %rsp\n"
	"	mov $1000, %ebx\n"
	"1:	mov $1, %ebp\n"
	"	call inner\n"
	"	lea middle(%rip), %rax\n"
	"	mov %rax, 8(%rsp)\n"
	"	call *8(%rsp)\n"
	"	dec %ebx\n"
	"	jnz 1b\n"
	"	add $40, %rsp\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	"	.size outer, .-outer\n"
	"	.balign 16\n"
	".type middle, @function\n"
	"middle: push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	push %r12\n"
	"	sub $104, %rsp\n"
	"	and $-64, %rsp\n"
	"	call inner\n"
	"	lea -8(%rbp), %rsp\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	ret\n"
	"	.size middle, .-middle\n"
	"	.balign 16\n"
	".type inner, @function\n"
	"inner:	sub $24, %rsp\n"
	"	mov $20000, %ecx\n"
	"1:	mov %rcx, (%rsp)\n"
	"	dec %ecx\n"
	"	jnz 1b\n"
	"	add $24, %rsp\n"
	"	ret\n"
	"	.size inner, .-inner\n");
void outer(void);

int main(void)
{
	for (;;)
		outer();
}

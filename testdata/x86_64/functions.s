# Functions as compilers write them: with and without a frame pointer, two epilogues, padding between.
# Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
	.p2align 4
_start:
	.cfi_startproc
	.cfi_undefined %rip
	xorl	%ebp, %ebp
	call	framed
	hlt
	.cfi_endproc

	.p2align 4
framed:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	%rbx
	.cfi_offset %rbx, -24
	pushq	%r12
	.cfi_offset %r12, -32
	call	frameless
	popq	%r12
	popq	%rbx
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	ret
	.cfi_endproc

	.p2align 4
frameless:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	subq	$4096, %rsp
	.cfi_adjust_cfa_offset 4096
	testl	%edi, %edi
	je	1f
	addq	$4096, %rsp
	.cfi_remember_state
	.cfi_adjust_cfa_offset -4096
	popq	%rbp
	.cfi_def_cfa_offset 8
	.cfi_same_value %rbp
	ret
1:
	.cfi_restore_state
	nop
	addq	$4096, %rsp
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	.cfi_restore %rbp
	ret
	.cfi_endproc

	.p2align 4
moved:
	.cfi_startproc
	movq	%rbp, %rax
	.cfi_register %rbp, %rax
	popq	%rcx
	.cfi_register %rip, %rcx
	.cfi_def_cfa_offset 0
	movq	%rax, %rbp
	.cfi_same_value %rbp
	jmp	*%rcx
	.cfi_endproc

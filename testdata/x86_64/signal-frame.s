# A signal frame: registers found through expressions, as in the C library's restorer.
# Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
	.p2align 4
	nop
_start:
	.cfi_startproc simple
	.cfi_signal_frame
	# def_cfa_expression: breg7 160; deref
	.cfi_escape 0x0f, 0x04, 0x77, 0xa0, 0x01, 0x06
	# expression rbp: breg7 120; rsp: breg7 160; rip: breg7 168
	.cfi_escape 0x10, 0x06, 0x03, 0x77, 0xf8, 0x00
	.cfi_escape 0x10, 0x07, 0x03, 0x77, 0xa0, 0x01
	.cfi_escape 0x10, 0x10, 0x03, 0x77, 0xa8, 0x01
	movq	$15, %rax
	syscall
	.cfi_endproc

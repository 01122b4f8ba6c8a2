# Functions of one row: FDEs as small as they can be, next to each other and 16 bytes apart.
# Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
_start:
	.rept	8
	.cfi_startproc
	nop
	ret
	.cfi_endproc
	.endr
	.rept	8
	.p2align 4
	.cfi_startproc
	nop
	ret
	.cfi_endproc
	.endr

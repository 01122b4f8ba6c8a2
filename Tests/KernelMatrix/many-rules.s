# 12,000 instructions, each with a different rule. For any machine.
# Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
_start:
	.cfi_startproc
	.set	offset, 16
	.rept	12000
	nop
	.cfi_def_cfa_offset offset
	.set	offset, offset + 8
	.endr
	.cfi_endproc

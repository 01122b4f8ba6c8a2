// Many rows of many rules: pages that are dense, quarters and uniform.
// Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
_start:
	.rept	300
	.cfi_startproc
	str	x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x30, -16
	ldr	x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x30
	ret
	.cfi_endproc
	.endr

	.p2align 18
	.cfi_startproc
	.set	offset, 0
	.rept	300
	nop
	.cfi_def_cfa_offset offset
	.set	offset, offset + 16
	.endr
	.cfi_endproc
	.p2align 18
	.cfi_startproc
	nop
	.cfi_endproc

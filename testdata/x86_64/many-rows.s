# Many rows of many rules: pages that are sparse, dense, with a palette, and quarters; a personality and language data.
# Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
_start:
	# Three rules in 2,000 rows: dense, without a palette.
	.rept	500
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.endr

	.p2align 16
	# Another rule at every byte: quarters.
	.cfi_startproc
	.cfi_personality 0x1b, personality
	.cfi_lsda 0x1b, language_data
	.set	offset, 8
	.rept	300
	nop
	.cfi_def_cfa_offset offset
	.set	offset, offset + 8
	.endr
	.cfi_endproc
	.cfi_startproc
	.set	offset, 8
	.rept	100
	nop
	.cfi_def_cfa %rbp, offset
	.set	offset, offset + 8
	.endr
	.cfi_endproc

	.p2align 16
	# Few rows of rare rules: sparse, with a palette.
	.cfi_startproc
	.set	offset, 2200
	.rept	20
	.rept	30
	nop
	.endr
	.cfi_def_cfa_offset offset
	.set	offset, offset + 8
	.endr
	.cfi_endproc
	.p2align 17
	.cfi_startproc
	.rept	0x12000
	nop
	.endr
	.cfi_endproc

	.data
language_data:
	.quad	0
personality:
	.quad	0

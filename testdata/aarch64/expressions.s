// Expressions: a lazy linkage table, frames scaled by the vector length, a signal frame.
// Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
	.p2align 4
_start:
	.cfi_startproc
	// def_cfa_expression: breg31 16; breg16 0; lit7; and; lit3; shl; plus
	.cfi_escape 0x0f, 0x09, 0x8f, 0x10, 0x80, 0x00, 0x37, 0x1a, 0x33, 0x24, 0x22
	nop
	nop
	.cfi_endproc
	.cfi_startproc
	// def_cfa_expression: breg31 16; bregx 46 0; const1u 8; mul; plus
	.cfi_escape 0x0f, 0x0a, 0x8f, 0x10, 0x92, 0x2e, 0x00, 0x08, 0x08, 0x1e, 0x22, 0x96
	nop
	// expression x29: breg31 0; val_expression x30: breg19 -8; deref
	.cfi_escape 0x10, 0x1d, 0x02, 0x8f, 0x00
	nop
	.cfi_escape 0x16, 0x1e, 0x03, 0x83, 0x78, 0x06
	nop
	.cfi_endproc

	.p2align 4
	nop
restorer:
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa x29, 0
	.cfi_offset x29, 0
	.cfi_offset x30, 8
	mov	x8, #139
	svc	#0
	.cfi_endproc

// Functions as compilers write them, with and without a frame record; pointer authentication with keys A and B.
// Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
	.p2align 4
_start:
	.cfi_startproc
	.cfi_undefined x30
	mov	x29, #0
	bl	framed
	brk	#0
	.cfi_endproc

	.p2align 4
framed:
	.cfi_startproc
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset x29, -32
	.cfi_offset x30, -24
	mov	x29, sp
	.cfi_def_cfa_register x29
	str	x19, [sp, #16]
	.cfi_offset x19, -16
	bl	signed
	ldr	x19, [sp, #16]
	.cfi_def_cfa sp, 32
	ldp	x29, x30, [sp], #32
	.cfi_restore x19
	.cfi_restore x30
	.cfi_restore x29
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc

	.p2align 4
signed:
	.cfi_startproc
	hint	#25
	.cfi_negate_ra_state
	stp	x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	cbz	x0, 1f
	.cfi_remember_state
	ldp	x29, x30, [sp], #16
	.cfi_restore x30
	.cfi_restore x29
	.cfi_def_cfa_offset 0
	hint	#29
	.cfi_negate_ra_state
	ret
1:
	.cfi_restore_state
	ldp	x29, x30, [sp], #16
	.cfi_restore x30
	.cfi_restore x29
	.cfi_def_cfa_offset 0
	hint	#29
	.cfi_negate_ra_state
	ret
	.cfi_endproc

	.p2align 4
key_b:
	.cfi_startproc
	.cfi_b_key_frame
	hint	#27
	.cfi_negate_ra_state
	str	x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x30, -16
	nop
	# negate_ra_state_with_pc; set_ra_state 0
	.cfi_escape 0x2c
	nop
	.cfi_escape 0x2b, 0x00, 0x00
	nop
	.cfi_endproc

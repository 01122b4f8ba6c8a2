# CFI that compilers don't write: odd order, bad nesting, unknown instructions, offsets too wide.
# Origin: written for cfic. Licence: Apache-2.0.
	.text
	.globl _start
_start:
	.cfi_startproc
	nop
	# An offset of more than 32 bits.
	.cfi_escape 0x0e, 0x80, 0x80, 0x80, 0x80, 0x20
	nop
	.cfi_endproc
	.cfi_startproc
	nop
	.cfi_escape 0x0b
	nop
	.cfi_endproc
	.cfi_startproc
	nop
	# Remembered without end, then an unknown instruction.
	.rept	70
	.cfi_remember_state
	.endr
	nop
	.cfi_escape 0x3e
	nop
	.cfi_endproc
	.cfi_startproc
	nop
	# GNU_args_size; GNU_window_save; GNU_negative_offset_extended rbp, 2; a vendor's end
	.cfi_escape 0x2e, 0x10
	.cfi_escape 0x2f, 0x06, 0x02
	nop
	.cfi_escape 0x05, 0x06, 0x02, 0x11, 0x10, 0x7f, 0x12, 0x07, 0x7e, 0x13, 0x7d
	nop
	# set_loc and advances of every width
	.cfi_escape 0x02, 0x01, 0x03, 0x01, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00
	.cfi_undefined %rbp
	nop
	.cfi_def_cfa %r11, 8
	nop
	.cfi_def_cfa %xmm3, 8
	nop
	.cfi_endproc
	.cfi_startproc
	# Expressions that are cut off, too long, too deep, or call.
	.cfi_escape 0x0f, 0x02, 0x0c, 0x00
	nop
	.cfi_escape 0x0f, 0x0a, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30
	nop
	.cfi_escape 0x10, 0x06, 0x03, 0x98, 0x00, 0x00
	nop
	.cfi_escape 0x16, 0x06, 0x03, 0x28, 0x00, 0x00
	nop
	.cfi_endproc

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Registers as the kernel saves them: struct user_pt_regs of asm/ptrace.h, the beginning of struct pt_regs. */

struct user_registers_aarch64 {
	__u64 x[31];
	__u64 sp, pc, pstate;
};

/* The DWARF number of the stack pointer; functions may use no byte below it. */
#define stack_pointer_aarch64 31
#define red_zone_aarch64 0

/* Whether these are the registers of user code: exception level 0. */
static __always_inline int is_user_aarch64(const struct user_registers_aarch64 *registers)
{
	return (registers->pstate & 0xf) == 0;
}

/* Whether the code is 64-bit code: PSR_MODE32_BIT is not set. */
static __always_inline int is_own_machine_aarch64(const struct user_registers_aarch64 *registers)
{
	return (registers->pstate & 0x10) == 0;
}

static __always_inline void take_registers_aarch64(struct cfic_machine *machine, const struct user_registers_aarch64 *from)
{
	/* DWARF numbers equal the registers' own numbers, and 31 is SP. */
#pragma unroll
	for (int number = 0; number < 31; number++)
		machine->registers[number] = from->x[number];
	machine->registers[31] = from->sp;
	machine->pc = from->pc;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Registers as the kernel saves them: struct pt_regs of asm/ptrace.h. */

struct user_registers_x86_64 {
	__u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	__u64 orig_rax, rip, cs, eflags, rsp, ss;
};

#define KERNEL_REGISTERS_SIZE_x86_64 sizeof(struct user_registers_x86_64)

/* The DWARF number of the stack pointer, and the bytes below it that functions may use. */
#define stack_pointer_x86_64 7
#define red_zone_x86_64 128

/* Whether these are the registers of user code. */
static __always_inline int is_user_x86_64(const struct user_registers_x86_64 *registers)
{
	return (registers->cs & 3) == 3;
}

/* Whether the code is 64-bit code: its code segment is __USER_CS. */
static __always_inline int is_own_machine_x86_64(const struct user_registers_x86_64 *registers)
{
	return registers->cs == 0x33;
}

static __always_inline void take_registers_x86_64(struct cfic_machine *machine, const struct user_registers_x86_64 *from)
{
	/* By DWARF number (System V psABI, figure 3.36). */
	machine->registers[0] = from->rax;
	machine->registers[1] = from->rdx;
	machine->registers[2] = from->rcx;
	machine->registers[3] = from->rbx;
	machine->registers[4] = from->rsi;
	machine->registers[5] = from->rdi;
	machine->registers[6] = from->rbp;
	machine->registers[7] = from->rsp;
	machine->registers[8] = from->r8;
	machine->registers[9] = from->r9;
	machine->registers[10] = from->r10;
	machine->registers[11] = from->r11;
	machine->registers[12] = from->r12;
	machine->registers[13] = from->r13;
	machine->registers[14] = from->r14;
	machine->registers[15] = from->r15;
	machine->pc = from->rip;
}

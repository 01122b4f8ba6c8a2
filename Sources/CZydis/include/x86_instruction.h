#ifndef CFIC_X86_INSTRUCTION_H
#define CFIC_X86_INSTRUCTION_H

#include <stddef.h>
#include <stdint.h>

/*
 * x86-64 instructions, decoded by Zydis (MIT): what an analysis of the stack needs of them.
 *
 * Debian has only a shared libZydis, which is opened on first use, so that cfic starts without it. Its soname names the
 * version: decoding can't change unnoticed.
 */

/* What an instruction does, as far as the stack is concerned. Register operands are 64 bits wide unless it says so. */
enum cfic_x86_kind {
	/* Changes the registers in `written`, and the memory operand if `writes_memory`. */
	CFIC_X86_OTHER,
	/* Not an instruction; `length` is 1. */
	CFIC_X86_UNDECODABLE,
	/* No effect on registers and memory. */
	CFIC_X86_NOTHING,
	/* Pushes `source`. */
	CFIC_X86_PUSH,
	/* Pushes `size` bytes: the memory operand if there is one, else something unknown. */
	CFIC_X86_PUSH_OTHER,
	/* Pops `target`. */
	CFIC_X86_POP,
	/* Pops `size` bytes to somewhere else. */
	CFIC_X86_POP_OTHER,
	/* target += immediate */
	CFIC_X86_ADD_IMMEDIATE,
	/* target += source */
	CFIC_X86_ADD,
	/* target -= source */
	CFIC_X86_SUBTRACT,
	/* target &= immediate; `size` is the operand's */
	CFIC_X86_AND_IMMEDIATE,
	/* target = address of the memory operand */
	CFIC_X86_ADDRESS,
	/* target = source; of `size` 4, 2 or 1: its low bytes, with zeros above */
	CFIC_X86_MOVE,
	/* target = immediate */
	CFIC_X86_SET,
	/* The low 8 bits of target = immediate */
	CFIC_X86_SET_LOW,
	/* target = memory operand; of `size` 4, 2 and 1, with zeros above */
	CFIC_X86_LOAD,
	/* target = memory operand of 4 bytes, with copies of its sign above */
	CFIC_X86_LOAD_SIGNED,
	/* memory operand of 8 bytes = source */
	CFIC_X86_STORE,
	CFIC_X86_EXCHANGE,
	/* Flags of target - source. */
	CFIC_X86_COMPARE,
	/* Flags of target - immediate, or of memory operand - immediate; `size` is the operand's. */
	CFIC_X86_COMPARE_IMMEDIATE,
	CFIC_X86_LEAVE,
	/* enter immediate, 0 */
	CFIC_X86_ENTER,
	CFIC_X86_RETURN,
	/* To `immediate`, relative to the end of the instruction. */
	CFIC_X86_JUMP,
	CFIC_X86_BRANCH,
	CFIC_X86_CALL,
	/* To `target`. */
	CFIC_X86_JUMP_REGISTER,
	/* To what the memory operand holds. */
	CFIC_X86_JUMP_MEMORY,
	CFIC_X86_CALL_INDIRECT,
	/* syscall: rax has the number, and then the result; rcx and r11 are overwritten. */
	CFIC_X86_SYSTEM_CALL,
	/* Control doesn't reach the next instruction: ud2, hlt, int3, iret, sysret … */
	CFIC_X86_STOP,
};

/* Conditions of branches that say something about the operands compared. */
enum cfic_x86_condition {
	CFIC_X86_ANOTHER_CONDITION,
	CFIC_X86_EQUAL,
	CFIC_X86_NOT_EQUAL,
	/* Unsigned. */
	CFIC_X86_BELOW,
	CFIC_X86_BELOW_OR_EQUAL,
	CFIC_X86_ABOVE,
	CFIC_X86_ABOVE_OR_EQUAL,
};

/* Register numbers are DWARF's (System V ABI, table 3.36): 0–15. */
enum {
	CFIC_X86_NO_REGISTER = 0xff,
	/* Of a memory operand's base. */
	CFIC_X86_INSTRUCTION_POINTER = 0xfe,
	/* Of a memory operand's base: fs or gs, or a base of 32 bits. */
	CFIC_X86_ANOTHER_BASE = 0xfd,
};

struct cfic_x86_instruction {
	/* In bytes. */
	uint8_t length;
	/* enum cfic_x86_kind */
	uint8_t kind;
	/* enum cfic_x86_condition */
	uint8_t condition;
	uint8_t target;
	uint8_t source;
	/* The memory operand, if `has_memory`: base + index * scale + displacement. */
	uint8_t base;
	uint8_t index;
	uint8_t scale;
	uint8_t has_memory;
	uint8_t writes_memory;
	/* Operand's size in bytes; 0 if it varies. */
	uint16_t size;
	/* Bit N: register N is written, in part at least. */
	uint16_t written;
	/* Of these, the ones whose upper 32 bits it clears. */
	uint16_t cleared;
	int64_t displacement;
	int64_t immediate;
};

/* Opens libZydis. Returns null, or why it can't be used. May be called on any thread. */
const char *cfic_x86_open(void);

/* Decodes the instruction at the start of `count` bytes, of which there is at least one. `cfic_x86_open` must have
 * returned null. */
void cfic_x86_decode(const uint8_t *bytes, size_t count, struct cfic_x86_instruction *instruction);

/* Writes an instruction's text in Intel's syntax, with absolute addresses if it is at `address`. Returns its length in
 * bytes. */
size_t cfic_x86_text(const uint8_t *bytes, size_t count, uint64_t address, char *text, size_t size);

#endif

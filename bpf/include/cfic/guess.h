/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frame to its caller where there is no rule at all, as in code made at run time: a guess, which is checked by
 * the code that it leads to. docs/stack-ends.md says what is promised of a frame that was found so. Compiled natively
 * and for BPF; walk.h says what to define before.
 */
#ifndef CFIC_GUESS_H
#define CFIC_GUESS_H

#include "step.h"

#ifndef CFIC_FIND
#error "include walk.h"
#endif

/* In kernel programs, functions of their own. */
#ifndef CFIC_EVIDENCE
#define CFIC_EVIDENCE(reader, frame, address, e_machine) cfic_evidence((reader), (frame), (address), (e_machine))
#define CFIC_INFORMATION(reader, pc, e_machine) cfic_information((reader), (pc), (e_machine))
#endif

/* What ends right before an address, if anything does. In machine code of variable length both may be read there. */
#define CFIC_CALL_DIRECT 0x1
#define CFIC_CALL_INDIRECT 0x2
#define CFIC_CALL_UNREADABLE 0x4

enum cfic_jump {
	CFIC_JUMP_NONE = 0,       /* the code does something else          */
	CFIC_JUMP_FOLLOWED = 1,
	CFIC_JUMP_UNREADABLE = 2, /* the code, or the address that it takes */
};

#include "aarch64/call.h"
#include "x86_64/call.h"

/* What is known of code at an address. */
enum cfic_information {
	CFIC_INFORMATION_NO_CODE = 0, /* nothing executable is mapped there            */
	CFIC_INFORMATION_NONE = 1,    /* code that no call frame information speaks of */
	CFIC_INFORMATION_RULE = 2,    /* code that has a rule, or a reason for none    */
};

/*
 * How well an address stands up as the return address of a frame: the more the better. A direct call to code that the
 * frame may stand in is the best, and the nearer its target the better.
 */
#define CFIC_EVIDENCE_NONE 0      /* it is none                                                         */
#define CFIC_EVIDENCE_UNCHECKED 1 /* it is in executable memory, but the code could not be read          */
#define CFIC_EVIDENCE_INDIRECT 2  /* behind a call, but of what is not known                            */
#define CFIC_EVIDENCE_DIRECT 3    /* and up: behind a direct call to here                               */

CFIC_INLINE __u32 cfic_call_before(void *reader, __u64 address, __u64 *target, __u32 e_machine)
{
	return e_machine == CFIC_MACHINE_AARCH64 ? cfic_aarch64_call_before(reader, address, target)
						 : cfic_x86_64_call_before(reader, address, target);
}

CFIC_INLINE enum cfic_jump cfic_follow_jump(void *reader, __u64 *address, __u32 e_machine)
{
	return e_machine == CFIC_MACHINE_AARCH64 ? cfic_aarch64_follow_jump(reader, address)
						 : cfic_x86_64_follow_jump(reader, address);
}

CFIC_INLINE enum cfic_information cfic_information(void *reader, __u64 pc, __u32 e_machine)
{
	struct cfic_rule rule;
	enum cfic_step found = CFIC_FIND(reader, pc, &rule, e_machine);

	(void)e_machine; /* not every definition asks for it */
	if (found == CFIC_STEP_NO_TABLE)
		return CFIC_INFORMATION_NONE;
	if (found != CFIC_STEP_CALLER)
		return CFIC_INFORMATION_NO_CODE;
	return cfic_says_nothing(&rule) ? CFIC_INFORMATION_NONE : CFIC_INFORMATION_RULE;
}

/* How well a direct call's target agrees with where the frame stands. */
CFIC_INLINE __u32 cfic_evidence_of_target(void *reader, __u64 here, __u64 target, __u32 e_machine)
{
	enum cfic_information information = CFIC_INFORMATION(reader, here, e_machine);

	/* As it is, and where it jumps to at once: through the procedure linkage table. */
	for (__u32 turn = 0; turn < 2; turn++) {
		__u64 distance = here - target;
		enum cfic_information known = CFIC_INFORMATION(reader, target, e_machine);
		enum cfic_jump jump;

		if (known == CFIC_INFORMATION_NO_CODE)
			break;
		if (distance < CFIC_FUNCTION_MAX && (distance < CFIC_FUNCTION_NEAR || known == information))
			return CFIC_EVIDENCE_DIRECT + CFIC_FUNCTION_MAX - (__u32)distance;
		if (turn)
			break;
		jump = cfic_follow_jump(reader, &target, e_machine);
		if (jump == CFIC_JUMP_UNREADABLE)
			return CFIC_EVIDENCE_UNCHECKED;
		if (jump == CFIC_JUMP_NONE)
			break;
	}
	return CFIC_EVIDENCE_NONE;
}

/* How well an address stands up as where the function that the frame stands in returns to. */
CFIC_INLINE __u32 cfic_evidence(void *reader, const struct cfic_frame *frame, __u64 address, __u32 e_machine)
{
	__u64 target = 0;
	__u32 call, evidence = CFIC_EVIDENCE_NONE;

	if (CFIC_INFORMATION(reader, address - 1, e_machine) == CFIC_INFORMATION_NO_CODE)
		return CFIC_EVIDENCE_NONE;
	call = cfic_call_before(reader, address, &target, e_machine);
	if (call & CFIC_CALL_UNREADABLE)
		return CFIC_EVIDENCE_UNCHECKED;
	if (call & CFIC_CALL_DIRECT)
		evidence = cfic_evidence_of_target(reader, cfic_lookup_pc(frame), target, e_machine);
	if (evidence < CFIC_EVIDENCE_INDIRECT && (call & CFIC_CALL_INDIRECT))
		evidence = CFIC_EVIDENCE_INDIRECT;
	return evidence;
}

/*
 * The return address of a function that has not pushed anything: on top of the stack, or in the link register. Known
 * only where the frame's registers are those of its last instruction. 0 if there is none.
 */
CFIC_INLINE __u64 cfic_leaf_return_address(void *reader, const struct cfic_frame *frame, __u32 e_machine)
{
	__u64 address = 0;

	if (e_machine == CFIC_MACHINE_AARCH64)
		return frame->flags & CFIC_FRAME_ALL_REGISTERS
			? frame->machine.registers[CFIC_AARCH64_LR] & frame->address_bits : 0;
	if (!(frame->flags & CFIC_FRAME_EXACT_PC)
		|| CFIC_READ(reader, &address, sizeof(address), frame->machine.registers[CFIC_X86_64_SP]))
		return 0;
	return address;
}

/* The frame record, which the frame pointer leads to: the caller's frame pointer, and the return address. */
struct cfic_record {
	__u64 fp, pc;
};

/* *record is {0, 0} where the frame pointer can't be one. */
CFIC_INLINE void cfic_read_record(
	void *reader, const struct cfic_frame *frame, struct cfic_record *record, __u32 e_machine)
{
	__u64 address = frame->machine.registers[cfic_fp_of(e_machine)];

	/* Frames further out stand higher; and a frame pointer that isn't aligned is some other number. */
	if ((frame->flags & CFIC_FRAME_NO_FRAME_POINTER) || (address & 7)
		|| address < frame->machine.registers[cfic_sp_of(e_machine)]
		|| CFIC_READ(reader, &record->pc, sizeof(record->pc), address + 8)
		|| CFIC_READ(reader, &record->fp, sizeof(record->fp), address)) {
		record->pc = 0;
		return;
	}
	if (e_machine == CFIC_MACHINE_AARCH64)
		record->pc &= frame->address_bits;
}

/*
 * Whether a leaf's return address is the better one. That the frame pointer still is a caller's shows in a call that
 * leads nearer to here than that before the record's. Of equal ones the record's counts: what happens to be on top of
 * the stack, or in the link register, may be left over from an earlier call, above all one by the code at hand.
 */
CFIC_INLINE int cfic_is_leaf(
	void *reader, const struct cfic_frame *frame, __u32 leaf, __u64 leaf_pc, __u32 record, __u32 e_machine)
{
	if (leaf <= record)
		return 0;
	return record != CFIC_EVIDENCE_INDIRECT
		|| CFIC_INFORMATION(reader, leaf_pc - 1, e_machine)
			!= CFIC_INFORMATION(reader, cfic_lookup_pc(frame), e_machine);
}

/*
 * Makes the frame that of its caller, by its frame record or as a leaf's, whichever the code behind the return address
 * speaks for; CFIC_STEP_BAD_FRAME_POINTER if it speaks for none. Compilers for both machines use to keep the frame
 * pointer so, but nothing says that this one did: the caller is marked.
 */
CFIC_INLINE enum cfic_step cfic_guess(void *reader, struct cfic_frame *frame, __u32 e_machine)
{
	__u32 sp = cfic_sp_of(e_machine), fp = cfic_fp_of(e_machine);
	struct cfic_machine *machine = &frame->machine;
	__u32 by_record = CFIC_EVIDENCE_NONE, by_leaf = CFIC_EVIDENCE_NONE, evidence;
	struct cfic_record record = {0, 0};
	__u64 leaf_pc, marks = CFIC_FRAME_GUESSED | (frame->flags & CFIC_FRAME_UNCHECKED);

	/* Both psABIs have the outermost frame record end the chain with a zero. */
	if (!(frame->flags & (CFIC_FRAME_EXACT_PC | CFIC_FRAME_NO_FRAME_POINTER)) && machine->registers[fp] == 0)
		return CFIC_STEP_END_OF_CHAIN;
	cfic_read_record(reader, frame, &record, e_machine);
	if (record.pc)
		by_record = CFIC_EVIDENCE(reader, frame, record.pc, e_machine);
	leaf_pc = cfic_leaf_return_address(reader, frame, e_machine);
	if (leaf_pc)
		by_leaf = CFIC_EVIDENCE(reader, frame, leaf_pc, e_machine);
	if (cfic_is_leaf(reader, frame, by_leaf, leaf_pc, by_record, e_machine)) {
		evidence = by_leaf;
		machine->pc = leaf_pc;
		if (e_machine != CFIC_MACHINE_AARCH64)
			machine->registers[sp] += 8;
		marks |= frame->flags & CFIC_FRAME_NO_FRAME_POINTER;
	} else {
		evidence = by_record;
		if (evidence == CFIC_EVIDENCE_NONE)
			return CFIC_STEP_BAD_FRAME_POINTER;
		machine->registers[sp] = machine->registers[fp] + 16;
		machine->registers[fp] = record.fp;
		machine->pc = record.pc;
		/* There the record is at the bottom of the frame, with what a function keeps above it. */
		if (e_machine == CFIC_MACHINE_AARCH64)
			marks |= CFIC_FRAME_NO_STACK_POINTER;
	}
	if (evidence == CFIC_EVIDENCE_UNCHECKED)
		marks |= CFIC_FRAME_UNCHECKED;
	frame->flags = (__u32)marks;
	return CFIC_STEP_CALLER;
}

#endif

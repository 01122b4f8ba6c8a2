/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the caller of a frame whose code has no call frame information at all, such as code generated at run time: a
 * guess, checked against the code at the return address. docs/stack-ends.md states what guessed frames guarantee.
 * Compiled natively and for BPF. walk.h lists the macros that must be defined first.
 */
#ifndef CFIC_GUESS_H
#define CFIC_GUESS_H

#include "step.h"

#ifndef CFIC_FIND
#error "include walk.h"
#endif

/* BPF programs define these as functions that are verified on their own. */
#ifndef CFIC_EVIDENCE
#define CFIC_EVIDENCE(reader, frame, address, e_machine) cfic_evidence((reader), (frame), (address), (e_machine))
#define CFIC_INFORMATION(reader, pc, e_machine) cfic_information((reader), (pc), (e_machine))
#endif

/*
 * The call instructions that end right before an address. With instructions of variable length, the bytes may look like
 * a direct and an indirect call at once.
 */
#define CFIC_CALL_DIRECT 0x1
#define CFIC_CALL_INDIRECT 0x2
#define CFIC_CALL_UNREADABLE 0x4

enum cfic_jump {
	CFIC_JUMP_NONE = 0,       /* the code is no jump                   */
	CFIC_JUMP_FOLLOWED = 1,
	CFIC_JUMP_UNREADABLE = 2, /* the code or the pointer can't be read */
};

#include "aarch64/call.h"
#include "x86_64/call.h"

/* The call frame information for an address. */
enum cfic_information {
	CFIC_INFORMATION_NO_CODE = 0, /* nothing executable is mapped there            */
	CFIC_INFORMATION_NONE = 1,    /* code without call frame information           */
	CFIC_INFORMATION_RULE = 2,    /* code with a rule, or a reason instead         */
};

/*
 * How strongly the code suggests that an address is a frame's return address; larger is stronger. Strongest is a direct
 * call to a function that may contain the frame's pc, and the closer its target the stronger.
 */
#define CFIC_EVIDENCE_NONE 0      /* it is no return address                                            */
#define CFIC_EVIDENCE_UNCHECKED 1 /* in executable memory, but the code could not be read                */
#define CFIC_EVIDENCE_INDIRECT 2  /* after an indirect call, whose target is unknown                    */
#define CFIC_EVIDENCE_DIRECT 3    /* and up: after a direct call to this code                           */

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

	(void)e_machine; /* not every CFIC_FIND uses it */
	if (found == CFIC_STEP_NO_TABLE)
		return CFIC_INFORMATION_NONE;
	if (found != CFIC_STEP_CALLER)
		return CFIC_INFORMATION_NO_CODE;
	return cfic_says_nothing(&rule) ? CFIC_INFORMATION_NONE : CFIC_INFORMATION_RULE;
}

/* How strongly a direct call's target suggests that it called the function with the frame's pc, `here`. */
CFIC_INLINE __u32 cfic_evidence_of_target(void *reader, __u64 here, __u64 target, __u32 e_machine)
{
	enum cfic_information information = CFIC_INFORMATION(reader, here, e_machine);

	/* Try the target itself, then the target of a jump there, as in the procedure linkage table. */
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

/* How strongly the code suggests that `address` is the return address of the frame's function. */
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
 * The return address of a function that has pushed nothing: on top of the stack, or in the link register. Known only if
 * the frame's registers are those at its pc. 0 if there is none.
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

/* The frame record that the frame pointer points to: the caller's frame pointer and the return address. */
struct cfic_record {
	__u64 fp, pc;
};

/* record->pc is 0 if the frame pointer can't point to a frame record. */
CFIC_INLINE void cfic_read_record(
	void *reader, const struct cfic_frame *frame, struct cfic_record *record, __u32 e_machine)
{
	__u64 address = frame->machine.registers[cfic_fp_of(e_machine)];

	/* Outer frames are at higher addresses. If the register isn't aligned, it isn't used as a frame pointer. */
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
 * Whether to use a leaf's return address and not the frame record's. In a leaf, the frame pointer still belongs to a
 * caller, so the call before the leaf's return address has a closer target than the one before the record's. If the
 * evidence is equal, the record is used: the value on top of the stack, or in the link register, may be left over from
 * an earlier call, especially from one that this code made.
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
 * Replaces the frame with its caller's, found through the frame record or as that of a leaf, whichever has the stronger
 * evidence; CFIC_STEP_BAD_FRAME_POINTER if neither has any. Compilers for both machines usually maintain frame records,
 * but nothing guarantees it for this code, so the caller is marked as guessed.
 */
CFIC_INLINE enum cfic_step cfic_guess(void *reader, struct cfic_frame *frame, __u32 e_machine)
{
	__u32 sp = cfic_sp_of(e_machine), fp = cfic_fp_of(e_machine);
	struct cfic_machine *machine = &frame->machine;
	__u32 by_record = CFIC_EVIDENCE_NONE, by_leaf = CFIC_EVIDENCE_NONE, evidence;
	struct cfic_record record = {0, 0};
	__u64 leaf_pc, marks = CFIC_FRAME_GUESSED | (frame->flags & CFIC_FRAME_UNCHECKED);

	/* In both psABIs, a frame pointer of zero marks the end of the chain. */
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
		/* On aarch64 the record is at the bottom of the frame, below saved registers and locals. */
		if (e_machine == CFIC_MACHINE_AARCH64)
			marks |= CFIC_FRAME_NO_STACK_POINTER;
	}
	if (evidence == CFIC_EVIDENCE_UNCHECKED)
		marks |= CFIC_FRAME_UNCHECKED;
	frame->flags = (__u32)marks;
	return CFIC_STEP_CALLER;
}

#endif

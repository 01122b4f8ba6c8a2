/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The functions of one machine (MACHINE), whose names get its suffix (NAME). Included once per machine.
 */

/* So few that a call is cheap to verify, and so many that a call costs little compared with the frames. */
#ifndef FRAMES_PER_CALL
#define FRAMES_PER_CALL 4
#endif

int NAME(remember_rule)(__u64 bytes, __u32 slot)
{
	return remember_rule(bytes, slot, MACHINE);
}

/* CFIC_UNWIND: for unusual rules. */
int NAME(unwind)(void)
{
	struct walk *walk = this_walk();

	return walk ? (int)cfic_unwind_unusual(walk, &walk->frame, &walk->rule, MACHINE) : CFIC_STEP_NO_RULE;
}

/* CFIC_GUESS, and the functions that guesses use. */
int NAME(guess)(void)
{
	struct walk *walk = this_walk();

	if (!walk)
		return CFIC_STEP_NO_TABLE;
	walk->guesses++;
	return cfic_guess(walk, &walk->frame, MACHINE);
}

__u32 NAME(evidence)(__u64 address)
{
	struct walk *walk = this_walk();

	return walk ? cfic_evidence(walk, &walk->frame, address, MACHINE) : CFIC_EVIDENCE_NONE;
}

int NAME(known_code)(void)
{
	struct walk *walk = this_walk();

	return walk ? (int)cfic_known_code(walk, &walk->frame, MACHINE) : CFIC_KNOWN_NOTHING;
}

int NAME(is_called_from)(void)
{
	struct walk *walk = this_walk();

	return walk ? cfic_is_called_from(walk, &walk->frame, MACHINE) : 0;
}

int NAME(information)(__u64 pc)
{
	struct walk *walk = this_walk();

	return walk ? (int)cfic_information(walk, pc, MACHINE) : CFIC_INFORMATION_NO_CODE;
}

/* Adds the frame to the sample; 0 if there was room. */
static __always_inline int NAME(give_out)(struct walk *walk)
{
	__u32 count = walk->frame_count, callee = count - 1;
	__u64 pc = walk->frame.machine.pc & CFIC_SAMPLE_ADDRESS;

	if (count >= walk->frame_limit || count >= FRAMES_MAX)
		return -1;
	if (walk->frame.flags & CFIC_FRAME_EXACT_PC)
		pc |= CFIC_SAMPLE_EXACT;
	if (walk->frame.flags & CFIC_FRAME_GUESSED) {
		pc |= CFIC_SAMPLE_GUESSED;
		walk->sample.guessed_count++;
	}
	if (walk->frame.flags & CFIC_FRAME_UNCHECKED)
		pc |= CFIC_SAMPLE_UNCHECKED;
	if (walk->frame.flags & CFIC_FRAME_INFERRED) {
		pc |= CFIC_SAMPLE_INFERRED;
		walk->inferred += !(walk->frame.flags & CFIC_FRAME_GUESSED);
	}
	/* The pc of its callee, the signal frame, is no return address of a call: the kernel set it. */
	if (walk->frame.flags & CFIC_FRAME_INTERRUPTED) {
		/* Verifiers before 6.12 don't derive this bound from that of `count`. */
		barrier_var(callee);
		if (callee < FRAMES_MAX)
			walk->frames[callee] |= CFIC_SAMPLE_EXACT;
	}
	walk->frames[count] = pc;
	walk->frame_count = count + 1;
	return 0;
}

/* Walks a few frames: CFIC_STEP_CALLER, or the end of the walk. */
int NAME(walk_frames)(void)
{
	struct walk *walk = this_walk();

	if (!walk)
		return CFIC_STEP_NO_PROCESS;
	for (__u32 frame = 0; frame < FRAMES_PER_CALL; frame++) {
		enum cfic_step step = cfic_walk_step(walk, &walk->frame, &walk->rule, MACHINE);

		if (step != CFIC_STEP_CALLER)
			return step;
		if (NAME(give_out)(walk))
			return CFIC_STEP_TOO_DEEP;
	}
	return CFIC_STEP_CALLER;
}

/* Walks from the innermost frame, whose registers the walk already has, to the outermost one. */
static __always_inline enum cfic_step NAME(walk)(struct walk *walk)
{
	enum cfic_step step = CFIC_STEP_CALLER;

	walk->frame.flags = CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC;
	walk->frame.address_bits = settings.address_bits;
	NAME(give_out)(walk);
	if (!walk->process)
		return CFIC_STEP_NO_PROCESS;
	/* One call more than the frames need, to see the end of the last one. */
	for (__u32 call = 0; call <= CFIC_FRAMES_MAX / FRAMES_PER_CALL; call++) {
		step = NAME(walk_frames)();
		if (step != CFIC_STEP_CALLER)
			return step;
	}
	return CFIC_STEP_TOO_DEEP;
}

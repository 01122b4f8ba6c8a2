/*
 * Steps by unproved rules and programs of random bytes. Only the frame may be written, no operation after the table's
 * may be read, and there must be no undefined behaviour. Built with sanitizers by SanitizedTests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfic/names.h"
#include "cfic/native.h"

static __u64 state = 0x9e3779b97f4a7c15;

static __u64 next(void)
{
	/* xorshift64*: the same numbers in every run. */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static void fill(void *to, size_t size)
{
	for (size_t position = 0; position < size; position++)
		((unsigned char *)to)[position] = (unsigned char)(next() >> 40);
}

static int read_anything(void *context, void *to, __u32 size, __u64 address)
{
	unsigned long *reads = context;

	++*reads;
	if (address % 16 == 0)
		return -1;
	fill(to, size);
	return 0;
}

/* The rule for the kernel's signal frame, from which all registers are read. */
static struct cfic_rule signal_rule(__u32 machine)
{
	__u8 sp = machine == CFIC_MACHINE_AARCH64 ? 31 : 7;
	__u8 at_sp = CFIC_VALUE_AT_REGISTER << CFIC_VALUE_SHIFT | sp;
	struct cfic_rule rule = {CFIC_CFA_DEREF | CFIC_RULE_SIGNAL, sp, at_sp, at_sp, 160, 120, 168};

	if (machine == CFIC_MACHINE_AARCH64) {
		rule.cfa_offset = 560;
		rule.fp_offset = 544;
		rule.ra_offset = 568;
	}
	return rule;
}

int main(void)
{
	unsigned long ends[CFIC_STEP_COUNT] = {0}, reads = 0;

	for (int turn = 0; turn < 400000; turn++) {
		/* A separate allocation, so that the sanitizer sees reads past its end. */
		__u32 count = next() % 24;
		struct cfic_op *operations = malloc(count ? count * sizeof(*operations) : 1);
		struct cfic_frame *frame = malloc(sizeof(*frame));
		struct cfic_reader reader = {read_anything, 0, &reads, operations, count, turn & 1, 0};
		struct cfic_rule rule;
		__u32 machine = turn % 5 ? CFIC_MACHINE_X86_64 : CFIC_MACHINE_AARCH64;
		enum cfic_step end;

		fill(operations, count * sizeof(*operations));
		fill(frame, sizeof(*frame));
		fill(&rule, sizeof(rule));
		for (__u32 index = 0; index < count; index++)
			operations[index].op %= turn % 2 ? CFIC_OP_COUNT : 255;
		if (turn % 3) {
			/* Rules that refer to a program in this memory. */
			rule.cfa_offset = (__s32)(next() % 32);
			rule.fp_offset = (__s16)(next() % 32);
			rule.ra_offset = (__s16)(next() % 32);
		}
		if (turn % 7 == 0)
			rule = signal_rule(machine);
		end = cfic_native_unwind(&reader, frame, &rule, machine);
		if ((unsigned int)end >= CFIC_STEP_COUNT)
			return 1;
		ends[end]++;
		free(frame);
		free(operations);
	}
	printf("%lu reads\n", reads);
	for (unsigned int end = 0; end < CFIC_STEP_COUNT; end++)
		printf("%s %lu\n", cfic_step_name(end), ends[end]);
	return 0;
}

/*
 * A walk in user space, in C++: the headers need only the macros that they list. Built by KernelHeaderTests.
 */
#include <linux/types.h>
#include <string.h>

#define CFIC_READ(reader, to, size, address) read_memory((reader), (to), (size), (address))
#define CFIC_OPERATION(reader, index) ((void)(reader), (index) < 64 ? &operations[index] : 0)
#define CFIC_FIND(reader, pc, rule, e_machine) ((void)(reader), (void)(e_machine), find((pc), (rule)))
#define CFIC_GUESSES(reader) ((void)(reader), 1)

#include "cfic/batch.h"
#include "cfic/elements.h"
#include "cfic/lookup.h"

static struct cfic_op operations[64];

static int read_memory(void *reader, void *to, __u32 size, __u64 address)
{
	memcpy(to, static_cast<char *>(reader) + address, size);
	return 0;
}

static enum cfic_step find(__u64, struct cfic_rule *rule)
{
	*rule = cfic_rule();
	return CFIC_STEP_CALLER;
}

#include "cfic/walk.h"

enum cfic_step step(void *memory, struct cfic_frame *frame, struct cfic_rule *rule)
{
	return cfic_walk_step(memory, frame, rule, CFIC_MACHINE_X86_64);
}

/*
 * Lookup and walk compiled for BPF, with plain arrays instead of maps: the headers need only the macros that they list.
 * Built by KernelHeaderTests for each machine (MACHINE).
 */
#include <linux/types.h>
#include <linux/bpf.h>

static long (*const probe_read_user)(void *to, __u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user;

#define CFIC_READ(reader, to, size, address) ((void)(reader), probe_read_user((to), (size), (const void *)(address)))
#define CFIC_OPERATION(reader, index) ((void)(reader), operation(index))
#define CFIC_FIND(reader, pc, rule, e_machine) ((void)(reader), find((pc), (rule)))

#define CFIC_GUESSES(reader) 1

#include "cfic/lookup.h"
#include "cfic/short_rule.h"

#define OPERATIONS 64
#define RULES 256
#define TEMPLATES 16

struct cfic_op operations[OPERATIONS];
struct cfic_short_rule rules[RULES];
struct cfic_template templates[TEMPLATES];
struct cfic_frame frame;
struct cfic_rule rule;
struct {
	struct cfic_sparse head;
	__u16 units[CFIC_SPARSE_MAX];
	__u8 codes[CFIC_SPARSE_MAX];
} page;

static const struct cfic_op *operation(__u32 index)
{
	return index < OPERATIONS ? &operations[index] : 0;
}

static int find(__u64 pc, struct cfic_rule *rule)
{
	const struct cfic_templates all = { .memory = templates, .first = RULES, .count = TEMPLATES };

	cfic_expand_rule(
		&rules[cfic_sparse_lookup(&page.head, 0, pc & (CFIC_PAGE_UNITS - 1), &all) % RULES], rule, MACHINE);
	return 0;
}

#include "cfic/walk.h"

__attribute__((section("raw_tracepoint"), used)) int step(void *context)
{
	return cfic_walk_step(context, &frame, &rule, MACHINE);
}

char licence[] __attribute__((section("license"), used)) = "Dual BSD/GPL";

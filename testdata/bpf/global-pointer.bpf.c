/* The bug report that cfic began with: a global function that takes a pointer. */
#include "bpf.h"

struct cfi_state {
	__u64 cfa;
	__u64 registers[4];
};

__noinline int dwarf_cfi_eval(struct cfi_state *state, __u32 operation)
{
	if (!state)
		return -1;
	state->cfa += operation;
	return operation & 3;
}

SEC("perf_event") int unwind(struct bpf_perf_event_data *context)
{
	struct cfi_state state = { .cfa = any() };

	return dwarf_cfi_eval(&state, now()) + state.cfa;
}

/* A helper of 5.15 behind a question that libbpf answers before the program is loaded. */
#include "bpf.h"

static long (*const task_pt_regs)(void *task) = (void *)BPF_FUNC_task_pt_regs;
static void *(*const current_task)(void) = (void *)BPF_FUNC_get_current_task_btf;

SEC("perf_event") int guarded(struct bpf_perf_event_data *context)
{
	if (exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return task_pt_regs(current_task()) != 0;
	return now();
}

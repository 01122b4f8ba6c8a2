/* A helper behind questions whose answer is not the kernel's release: either may come true. */
#include "bpf.h"

extern int CONFIG_HZ __attribute__((section(".kconfig")));

struct task_struct {
	int field;
} __attribute__((preserve_access_index));

static long (*const task_pt_regs)(void *task) = (void *)BPF_FUNC_task_pt_regs;

SEC("perf_event") int by_configuration(void *context)
{
	return CONFIG_HZ == 100 ? task_pt_regs(context) : 0;
}

SEC("perf_event") int by_field(void *context)
{
	struct task_struct *task = context;

	return __builtin_preserve_field_info(task->field, 2 /* BPF_FIELD_EXISTS */) ? task_pt_regs(task) : 0;
}

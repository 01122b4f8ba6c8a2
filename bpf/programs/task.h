/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Of the kernel's own types what is needed, found by CO-RE in the running kernel. */
#ifndef CFIC_PROGRAM_TASK_H
#define CFIC_PROGRAM_TASK_H

struct pt_regs {
} __attribute__((preserve_access_index));

struct task_struct {
	void *stack;
	void *mm;
	int tgid;
} __attribute__((preserve_access_index));

/*
 * Where the registers are that the current thread entered the kernel with; 0 for kernel threads.
 *
 * The helper is there since Linux 5.15. Before, they stand at the end of the task's kernel stack on both machines: x86-64
 * leaves nothing behind them, aarch64 neither.
 */
static __always_inline __u64 entry_registers(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!BPF_CORE_READ(task, mm))
		return 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return bpf_task_pt_regs(bpf_get_current_task_btf());
	return (__u64)BPF_CORE_READ(task, stack) + settings.kernel_stack - bpf_core_type_size(struct pt_regs);
}

#endif

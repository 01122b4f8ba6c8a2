/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of kernel types that are needed. CO-RE finds their offsets in the running kernel. */
#ifndef CFIC_PROGRAM_TASK_H
#define CFIC_PROGRAM_TASK_H

struct pt_regs {
} __attribute__((preserve_access_index));

struct mm_struct {
	unsigned long end_code, start_stack;
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int flags;
	void *stack;
	struct mm_struct *mm;
	int pid;
	int tgid;
	unsigned int __state;
} __attribute__((preserve_access_index));

/* Before Linux 5.14. */
struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

/* PF_KTHREAD of linux/sched.h: the same bit in all versions since 2.6.27. */
#define TASK_IS_KERNEL_THREAD 0x00200000

static __always_inline int is_kernel_thread(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return (BPF_CORE_READ(task, flags) & TASK_IS_KERNEL_THREAD) != 0;
}

/*
 * Whether the current thread, which is no kernel thread, has no user code to return to: it has given up its memory, either
 * because it is ending, or for that of another program, which it has not begun to run. The kernel sets `end_code` as the
 * last thing before it sets the registers that the program begins with. Until then, the registers are those of the program
 * before.
 */
static __always_inline int has_no_user_code(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *memory = BPF_CORE_READ(task, mm);

	return !memory || !BPF_CORE_READ(memory, end_code);
}

/* CFIC_STACK_START */
static __always_inline __u64 stack_start(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *memory = BPF_CORE_READ(task, mm);

	return memory ? BPF_CORE_READ(memory, start_stack) : 0;
}

/*
 * The address of the registers with which the current thread entered the kernel; 0 for kernel threads.
 *
 * The helper exists since Linux 5.15. Before, the registers are at the very end of the task's kernel stack on both
 * machines.
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

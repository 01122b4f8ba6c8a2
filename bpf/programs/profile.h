/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sampling program of one machine. Included once a machine, behind programs.h. */

/* The registers of the current thread's user code into the walk; else how the walk ends at once. */
static __always_inline enum cfic_step NAME(take_user_registers)(
	struct walk *walk, const struct NAME(user_registers) *interrupted)
{
	/* The window is not in use yet. */
	struct NAME(user_registers) *saved = (void *)walk->window;
	__u64 address;

	_Static_assert(sizeof(*saved) <= WINDOW_SIZE, "registers fit the window");
	if (NAME(is_user)(interrupted)) {
		if (!NAME(is_own_machine)(interrupted))
			return CFIC_STEP_OTHER_MACHINE;
		NAME(take_registers)(&walk->frame.machine, interrupted);
		/*
		 * Unlike the end of the other way through here: compilers merge what is alike, and the kernel takes no load
		 * that is of its context once and of a map's memory another time.
		 */
		__asm__ volatile("# registers of the context" ::: "memory");
		return CFIC_STEP_CALLER;
	}
	address = entry_registers();
	if (!address || bpf_probe_read_kernel(saved, sizeof(*saved), (const void *)address) || !NAME(is_user)(saved))
		return CFIC_STEP_NO_USER_REGISTERS;
	if (!NAME(is_own_machine)(saved))
		return CFIC_STEP_OTHER_MACHINE;
	NAME(take_registers)(&walk->frame.machine, saved);
	return CFIC_STEP_CALLER;
}

/* A sample on CPU, of a process that is listed. */
SEC("?perf_event")
int NAME(profile)(const struct NAME(user_registers) *context)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 process = id >> 32;
	struct walk *walk;
	enum cfic_step step;

	/* The idle task. */
	if (!process)
		return 0;
	walk = this_walk();
	if (!walk || begin_listed(walk, process))
		return 0;
	if (settings.kernel_frames && !NAME(is_user)(context))
		take_kernel_frames(walk, (void *)context);
	step = NAME(take_user_registers)(walk, context);
	if (step == CFIC_STEP_CALLER)
		step = NAME(walk)(walk);
	finish(walk, step, id);
	return 0;
}

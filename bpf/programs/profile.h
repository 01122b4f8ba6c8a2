/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sampling program of one machine. Included once per machine, after programs.h. */

/* Copies the registers of the current thread's user code into the walk: CFIC_STEP_CALLER; else the end of the walk. */
static __always_inline enum cfic_step NAME(take_user_registers)(
	struct walk *walk, const struct NAME(user_registers) *interrupted)
{
	/* Uses the window as scratch memory, because nothing was read into it yet. */
	struct NAME(user_registers) *saved = (void *)walk->window;
	__u64 address;

	_Static_assert(sizeof(*saved) <= WINDOW_SIZE, "registers fit the window");
	if (NAME(is_user)(interrupted)) {
		if (!NAME(is_own_machine)(interrupted))
			return CFIC_STEP_OTHER_MACHINE;
		NAME(take_registers)(&walk->frame.machine, interrupted);
		/*
		 * Makes this path's end different from the other one's. Otherwise the compiler merges them, and the
		 * kernel rejects a load that reads from the context on one path and from map memory on the other.
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

/* Takes a sample if the current process is listed. */
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

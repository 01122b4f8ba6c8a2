/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sampling program of one machine. Included once per machine, after programs.h. */

/*
 * Copies the registers with which the current thread entered the kernel into the walk: CFIC_STEP_CALLER; else the end
 * of the walk.
 */
static __always_inline enum cfic_step NAME(take_entry_registers)(struct walk *walk)
{
	/* Uses the window as scratch memory, because nothing was read into it yet. */
	struct NAME(user_registers) *saved = (void *)walk->window;
	__u64 address = entry_registers();

	_Static_assert(sizeof(*saved) <= WINDOW_SIZE, "registers fit the window");
	if (!address && is_kernel_thread())
		return CFIC_STEP_KERNEL_THREAD;
	if (has_no_user_code())
		return CFIC_STEP_NO_USER_CODE;
	if (!address || bpf_probe_read_kernel(saved, sizeof(*saved), (const void *)address) || !NAME(is_user)(saved))
		return CFIC_STEP_NO_USER_REGISTERS;
	if (!NAME(is_own_machine)(saved))
		return CFIC_STEP_OTHER_MACHINE;
	NAME(take_registers)(&walk->frame.machine, saved);
	return CFIC_STEP_CALLER;
}

/* The same for the code that a sample interrupted. */
static __always_inline enum cfic_step NAME(take_user_registers)(
	struct walk *walk, const struct NAME(user_registers) *interrupted)
{
	if (NAME(is_user)(interrupted)) {
		if (!NAME(is_own_machine)(interrupted))
			return CFIC_STEP_OTHER_MACHINE;
		NAME(take_registers)(&walk->frame.machine, interrupted);
		/*
		 * Makes this path's end different from the other one's. Otherwise the compiler merges them, and the
		 * kernel rejects a load that reads from the context on one path and from map memory on the other.
		 * Kernels also refuse debug information with two lines of source at one instruction, so this is one.
		 */
		__asm__ volatile("%0 = %0" : "+r"(interrupted) : : "memory");
		return CFIC_STEP_CALLER;
	}
	return NAME(take_entry_registers)(walk);
}

/* The snapshot of a walk, verified on its own. */
int NAME(give_out_snapshot)(void)
{
	struct walk *walk = this_walk();

	if (walk)
		give_snapshot(walk, walk->first_registers[NAME(stack_pointer)], NAME(red_zone));
	return 0;
}

/*
 * Walks from the registers in the walk, unless `step` is why there are none: how the walk ended. Gives out the snapshot, if
 * one is due, which comes before the sample because readers take the samples first.
 */
static __always_inline enum cfic_step NAME(follow)(struct walk *walk, enum cfic_step step)
{
	if (step == CFIC_STEP_CALLER) {
		keep_registers(walk);
		step = NAME(walk)(walk);
		if (is_snapshot_due(walk, step))
			NAME(give_out_snapshot)();
	}
	return step;
}

/* Walks likewise, and outputs the sample that was begun. */
static __always_inline void NAME(take_sample)(struct walk *walk, enum cfic_step step, __u64 id)
{
	if (!has_no_frames(step))
		finish(walk, NAME(follow)(walk, step), id);
}

/* Takes a sample of the current thread, if it is to be sampled. */
SEC("?perf_event")
int NAME(profile)(const struct NAME(user_registers) *context)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct walk *walk = this_walk();

	if (!walk || begin_sample(walk, id))
		return 0;
	if (settings.kernel_frames && !NAME(is_user)(context))
		take_kernel_frames(walk, (void *)context);
	NAME(take_sample)(walk, NAME(take_user_registers)(walk, context), id);
	return 0;
}

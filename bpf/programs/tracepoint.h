/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program that samples hits of a tracepoint on one machine. Included once per machine, after profile.h.
 *
 * The kernel runs it for each hit, on whichever CPU. It never interrupts itself, or the program that takes samples of
 * other events, whose state it uses: the kernel ignores a hit inside of another one in the same context, and while a
 * program of one of these types runs on a CPU, it runs no other there (bpf_prog_active), and counts the hit as missed.
 */

SEC("?tp")
int NAME(tracepoint)(void *context)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct walk *walk = this_walk();

	if (!walk || begin_sample(walk, id) || !is_turn())
		return 0;
	if (settings.kernel_frames)
		take_kernel_frames(walk, context);
	NAME(take_sample)(walk, NAME(take_entry_registers)(walk), id);
	return 0;
}

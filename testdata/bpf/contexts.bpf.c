/* Global functions that take the context of kprobe programs: good for these, a pointer like any other elsewhere. */
#include "bpf.h"

__noinline int takes_registers(struct pt_regs *registers)
{
	return registers ? any() : 0;
}

__noinline int takes_registers_too(struct pt_regs *registers)
{
	return registers ? any() : 0;
}

SEC("kprobe/vfs_read") int reads(struct pt_regs *registers) { return takes_registers(registers); }

SEC("perf_event") int samples(struct bpf_perf_event_data *context)
{
	struct pt_regs registers = {};

	return takes_registers_too(&registers);
}

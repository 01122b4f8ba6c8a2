/* Of 6.6, where nobody gets: its opcode is looked at all the same. */
#include "object.h"

PROGRAM("kprobe/do_nanosleep", if (!exists(enum bpf_func_id, BPF_FUNC_unspec))
	asm volatile(".byte 0xd7, 1, 0, 0, 64, 0, 0, 0" ::: "r1", "memory");
	return 0)

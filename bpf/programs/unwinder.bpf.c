/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel unwinder: one object for Linux 5.10 and newer, with the BPF programs of both machines. A loader loads
 * those of its own machine. docs/kernels.md explains why the code is written the way it is.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "walk.h"
#include "output.h"
#include "task.h"
#include "follow.h"
#include "snapshot.h"
#include "waits.h"

/* The functions of each machine that are verified on their own: programs.h. */
int unwind_x86_64(void);
int unwind_aarch64(void);
int guess_x86_64(void);
int guess_aarch64(void);
__u32 evidence_x86_64(__u64 address);
__u32 evidence_aarch64(__u64 address);
int information_x86_64(__u64 pc);
int information_aarch64(__u64 pc);
int known_code_x86_64(void);
int known_code_aarch64(void);
int is_called_from_x86_64(void);
int is_called_from_aarch64(void);

/* e_machine is a constant wherever these are expanded. */
#define CFIC_UNWIND(reader, frame, rule, e_machine) (enum cfic_step)OF_MACHINE(e_machine, unwind)
#define CFIC_GUESS(reader, frame, e_machine) (enum cfic_step)OF_MACHINE(e_machine, guess)
#define CFIC_KNOWN_CODE(reader, frame, e_machine) \
	((void)(reader), (void)(frame), (enum cfic_known_code)OF_MACHINE(e_machine, known_code))
#define CFIC_IS_CALLED_FROM(reader, frame, e_machine) \
	((void)(reader), OF_MACHINE(e_machine, is_called_from))
#define CFIC_EVIDENCE(reader, frame, address, e_machine) OF_MACHINE(e_machine, evidence, address)
#define CFIC_INFORMATION(reader, pc, e_machine) \
	((void)(reader), (enum cfic_information)OF_MACHINE(e_machine, information, pc))

#define CFIC_STACK_START(reader) stack_start()

#include "cfic/walk.h"

/* Each machine's functions, from the same source, with the machine as a constant. */
#define MACHINE CFIC_MACHINE_X86_64
#define NAME(name) name##_x86_64
#include "x86_64/registers.h"
#include "programs.h"
#include "profile.h"
#include "tracepoint.h"
#include "off_cpu.h"
#include "batch.h"
#undef MACHINE
#undef NAME

#define MACHINE CFIC_MACHINE_AARCH64
#define NAME(name) name##_aarch64
#include "aarch64/registers.h"
#include "programs.h"
#include "profile.h"
#include "tracepoint.h"
#include "off_cpu.h"
#include "batch.h"
#undef MACHINE
#undef NAME

char LICENSE[] SEC("license") = "Dual BSD/GPL";

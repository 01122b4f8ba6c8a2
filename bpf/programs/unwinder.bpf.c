/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel unwinder: one object for Linux 5.10 and newer, with the programs of both machines, of which a loader loads
 * those of its own. docs/kernels.md says why it is written as it is.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "walk.h"
#include "output.h"
#include "task.h"
#include "follow.h"

/* Functions of their own, of each machine: programs.h. */
int unwind_x86_64(void);
int unwind_aarch64(void);
int unwind_by_frame_pointer_x86_64(void);
int unwind_by_frame_pointer_aarch64(void);

/* The machine is a constant wherever these are expanded. */
#define OF_MACHINE(e_machine, function) \
	(enum cfic_step)((e_machine) == CFIC_MACHINE_AARCH64 ? function##_aarch64() : function##_x86_64())
#define CFIC_UNWIND(reader, frame, rule, e_machine) OF_MACHINE(e_machine, unwind)
#define CFIC_UNWIND_BY_FRAME_POINTER(reader, frame, e_machine) OF_MACHINE(e_machine, unwind_by_frame_pointer)

#include "cfic/walk.h"

/* The programs of one machine: what they have in common stands once, and the machine is a constant to the compiler. */
#define MACHINE CFIC_MACHINE_X86_64
#define NAME(name) name##_x86_64
#include "x86_64/registers.h"
#include "programs.h"
#include "profile.h"
#include "batch.h"
#undef MACHINE
#undef NAME

#define MACHINE CFIC_MACHINE_AARCH64
#define NAME(name) name##_aarch64
#include "aarch64/registers.h"
#include "programs.h"
#include "profile.h"
#include "batch.h"
#undef MACHINE
#undef NAME

char LICENSE[] SEC("license") = "Dual BSD/GPL";

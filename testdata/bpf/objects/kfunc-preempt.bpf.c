/* A function of the kernel: of 6.10. */
#include "object.h"

extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

PROGRAM("tp_btf/sched_switch", bpf_preempt_disable(); bpf_preempt_enable(); return 0)

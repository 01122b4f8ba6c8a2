/* A function of the kernel, of 6.2, without a GPL-compatible licence. */
#define LICENCE "Proprietary"
#include "object.h"

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

PROGRAM("tp_btf/sched_switch", bpf_rcu_read_lock(); bpf_rcu_read_unlock(); return 0)

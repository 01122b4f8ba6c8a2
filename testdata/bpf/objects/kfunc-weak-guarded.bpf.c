/* A function of the kernel: of 6.2, asked for first. */
#include "object.h"

extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

PROGRAM("tp_btf/sched_switch", if (bpf_rcu_read_lock) { bpf_rcu_read_lock(); bpf_rcu_read_unlock(); } return 0)

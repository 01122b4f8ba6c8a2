/* A function of the kernel: declared with other types. */
#include "object.h"

extern int bpf_rcu_read_lock(int, long) __ksym;

PROGRAM("tp_btf/sched_switch", return bpf_rcu_read_lock(1, 2))

/* Global functions that give nothing back, take memory of no size, and the context of another kind of program. */
#include "bpf.h"

struct pt_regs;
struct unknown;
__u64 sink;

__noinline void gives_nothing(int value) { sink = value; }
__noinline int takes_anything(void *pointer) { return pointer ? 1 : 0; }
__noinline int takes_unknown(struct unknown *pointer) { return pointer ? 1 : 0; }
__noinline void *gives_pointer(int value) { return (void *)sink + value; }

SEC("perf_event") int first(struct bpf_perf_event_data *context) { gives_nothing(1); return 0; }
SEC("perf_event") int second(struct bpf_perf_event_data *context) { return takes_anything((void *)0); }
SEC("perf_event") int third(struct bpf_perf_event_data *context) { return takes_unknown((void *)0); }
SEC("perf_event") int fourth(struct bpf_perf_event_data *context) { return gives_pointer(2) != 0; }

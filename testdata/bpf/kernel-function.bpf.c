/* Functions of the kernel, one asked for first, and one that nobody has. */
#include "bpf.h"

extern void *bpf_task_acquire(void *task) __attribute__((section(".ksyms")));
extern void bpf_task_release(void *task) __attribute__((section(".ksyms"), weak));
int nowhere(int);

SEC("perf_event") int asks(void *context)
{
	if (bpf_task_release)
		bpf_task_release(context);
	return 0;
}

SEC("perf_event") int calls(void *context) { return bpf_task_acquire(context) != 0; }
SEC("perf_event") int cannot_call(void *context) { return nowhere(1); }

/* What the programs here need, and no more: sections, maps by BTF, and a few helpers. */
#include <linux/types.h>
#include <linux/bpf.h>
#include <asm/ptrace.h>
#include <linux/bpf_perf_event.h>

#define SEC(name) __attribute__((section(name), used))
#define __hidden __attribute__((visibility("hidden")))
#define __noinline __attribute__((noinline))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name

#define exists(enumeration, value) \
	__builtin_preserve_enum_value(*(typeof(enumeration) *)value, 0 /* BPF_ENUMVAL_EXISTS */)

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static __u64 (*const now)(void) = (void *)BPF_FUNC_ktime_get_ns;
static __u32 (*const any)(void) = (void *)BPF_FUNC_get_prandom_u32;
static long (*const read_kernel)(void *to, __u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;

#ifndef LICENCE
#define LICENCE "GPL"
#endif
#ifndef NO_LICENCE
char licence[] SEC("license") = LICENCE;
#endif

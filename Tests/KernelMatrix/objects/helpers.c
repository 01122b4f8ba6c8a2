/*
 * helpers: determines which kinds of BPF programs may call which helpers, and which helpers need a GPL-compatible
 * licence. The table in Sources/BPFCheck/Kernel/HelperAccess.swift is made from its output.
 *
 * Prints for each kind a line "helpers KIND LETTERS", with a letter for each helper from number 1 on: A if the kind may
 * call it, U if it may not, S if only sleepable BPF programs may call it, N if there is no helper with this number; or
 * "helpers KIND -" if the kernel doesn't load such BPF programs. Then "gpl LETTERS": G if a helper needs a
 * GPL-compatible licence, A if it doesn't, - if no kind may call it.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELPERS 216
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct kind {
	const char *section;
	enum bpf_prog_type type;
	int attach;		/* enum bpf_attach_type */
	const char *target;	/* in the kernel's BTF, for tracing and LSM programs */
	__u32 flags;
	int target_id;
};

static struct kind kinds[] = {
	{"socket", BPF_PROG_TYPE_SOCKET_FILTER},
	{"kprobe", BPF_PROG_TYPE_KPROBE},
	{"uprobe.s", BPF_PROG_TYPE_KPROBE, 0, NULL, BPF_F_SLEEPABLE},
	{"kprobe.multi", BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI},
	{"kprobe.session", BPF_PROG_TYPE_KPROBE, 56},
	{"uprobe.multi", BPF_PROG_TYPE_KPROBE, 48},
	{"uprobe.multi.s", BPF_PROG_TYPE_KPROBE, 48, NULL, BPF_F_SLEEPABLE},
	{"uprobe.session", BPF_PROG_TYPE_KPROBE, 57},
	{"tc", BPF_PROG_TYPE_SCHED_CLS},
	{"tcx/ingress", BPF_PROG_TYPE_SCHED_CLS, 46},
	{"action", BPF_PROG_TYPE_SCHED_ACT},
	{"tracepoint", BPF_PROG_TYPE_TRACEPOINT},
	{"xdp", BPF_PROG_TYPE_XDP, BPF_XDP},
	{"xdp/devmap", BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP},
	{"xdp/cpumap", BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP},
	{"perf_event", BPF_PROG_TYPE_PERF_EVENT},
	{"cgroup_skb/ingress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
	{"cgroup_skb/egress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS},
	{"cgroup/sock_create", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE},
	{"cgroup/sock_release", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE},
	{"cgroup/post_bind4", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND},
	{"cgroup/post_bind6", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND},
	{"lwt_in", BPF_PROG_TYPE_LWT_IN},
	{"lwt_out", BPF_PROG_TYPE_LWT_OUT},
	{"lwt_xmit", BPF_PROG_TYPE_LWT_XMIT},
	{"lwt_seg6local", BPF_PROG_TYPE_LWT_SEG6LOCAL},
	{"sockops", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS},
	{"sk_skb", BPF_PROG_TYPE_SK_SKB},
	{"sk_msg", BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT},
	{"cgroup/dev", BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE},
	{"raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT},
	{"raw_tp.w", BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE},
	{"cgroup/bind4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND},
	{"cgroup/bind6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND},
	{"cgroup/connect4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT},
	{"cgroup/connect6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT},
	{"cgroup/connect_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 49},
	{"cgroup/sendmsg4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG},
	{"cgroup/sendmsg6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG},
	{"cgroup/sendmsg_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 50},
	{"cgroup/recvmsg4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_RECVMSG},
	{"cgroup/recvmsg6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_RECVMSG},
	{"cgroup/recvmsg_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 51},
	{"cgroup/getpeername4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETPEERNAME},
	{"cgroup/getpeername6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME},
	{"cgroup/getpeername_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 52},
	{"cgroup/getsockname4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETSOCKNAME},
	{"cgroup/getsockname6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETSOCKNAME},
	{"cgroup/getsockname_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 53},
	{"sk_reuseport", BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT},
	{"flow_dissector", BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR},
	{"cgroup/sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL},
	{"cgroup/getsockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT},
	{"cgroup/setsockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT},
	{"tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sched_switch"},
	{"fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "bpf_modify_return_test"},
	{"fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, "bpf_modify_return_test"},
	{"fmod_ret", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "bpf_modify_return_test"},
	{"fentry.s", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "bpf_modify_return_test", BPF_F_SLEEPABLE},
	{"fexit.s", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, "bpf_modify_return_test", BPF_F_SLEEPABLE},
	{"fmod_ret.s", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "bpf_modify_return_test", BPF_F_SLEEPABLE},
	{"iter", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, "task"},
	{"iter.s", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, "task", BPF_F_SLEEPABLE},
	{"lsm", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "file_open"},
	{"lsm.s", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "file_open", BPF_F_SLEEPABLE},
	{"sk_lookup", BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP},
	{"syscall", BPF_PROG_TYPE_SYSCALL, 0, NULL, BPF_F_SLEEPABLE},
	{"netfilter", 32, 45},
};

static char text[1 << 16];

/* The verifier's verdict on a BPF program that only calls a helper; 0 if the program didn't get to the verifier. */
static char verdict(const struct kind *kind, int helper, const char *licence, int result)
{
	struct bpf_insn code[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = helper},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = result},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kind->attach, .log_level = 1,
		    .attach_btf_id = kind->target_id, .prog_flags = kind->flags, .log_buf = text,
		    .log_size = sizeof(text));

	text[0] = 0;
	int program = bpf_prog_load(kind->type, "probe", licence, helper ? code : code + 1, helper ? 3 : 2, &options);
	if (program >= 0) {
		close(program);
		return 'A';
	}
	if (!text[0] || !helper)
		return 0;
	if (strstr(text, "invalid func"))
		return 'N';
	if (strstr(text, "unknown func") || strstr(text, "cannot use helper"))
		return 'U';
	if (strstr(text, "sleep"))
		return 'S';
	return strstr(text, "GPL-restricted") ? 'G' : 'A';
}

int main(void)
{
	char letters[HELPERS + 1] = "", gpl[HELPERS + 1] = "";

	libbpf_set_print(NULL);
	memset(gpl, '-', HELPERS);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (kinds[i].target) {
			kinds[i].target_id = libbpf_find_vmlinux_btf_id(kinds[i].target, kinds[i].attach);
			if (kinds[i].target_id <= 0) {
				printf("helpers %s -\n", kinds[i].section);
				continue;
			}
		}
		/* Kinds differ in the results that they allow. */
		if (verdict(&kinds[i], 0, "GPL", 0) != 'A' && verdict(&kinds[i], 0, "GPL", 1) != 'A') {
			printf("helpers %s -\n", kinds[i].section);
			continue;
		}
		for (int helper = 1; helper <= HELPERS; helper++) {
			letters[helper - 1] = verdict(&kinds[i], helper, "GPL", 0) ?: '?';
			if (letters[helper - 1] == 'A' && gpl[helper - 1] == '-' && kinds[i].type != BPF_PROG_TYPE_LSM)
				gpl[helper - 1] = verdict(&kinds[i], helper, "Proprietary", 0) ?: '?';
		}
		printf("helpers %s %s\n", kinds[i].section, letters);
	}
	printf("gpl %s\n", gpl);
	return 0;
}

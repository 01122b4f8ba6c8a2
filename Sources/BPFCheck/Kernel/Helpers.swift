/// The helper functions of the kernel, in the order of their numbers (`enum bpf_func_id` of linux/bpf.h), with the
/// release that brought them. Since 6.2 the kernel has got no more: kernel functions take their place.
enum Helper {
    struct Entry {
        let name: String
        let since: KernelVersion
    }

    /// By number; nil for what 5.4 has, and for what no kernel has.
    static func entry(_ number: Int32) -> Entry? {
        let index = Int(number) - first
        return entries.indices.contains(index) ? entries[index] : nil
    }

    /// By the name of the enumerator, `BPF_FUNC_task_pt_regs`; nil for what 5.4 has.
    static func entry(enumerator: String) -> Entry? {
        guard enumerator.hasPrefix(prefix) else { return nil }
        let name = enumerator.dropFirst(prefix.count)
        return entries.first { $0.name == name }
    }

    static let tailCall: Int32 = 12

    private static let prefix = "BPF_FUNC_"
    private static let first = 111

    /// A release, and the helpers that came with it.
    private static let releases: [(major: Int, minor: Int, names: String)] = [
        (5, 5, "skb_output probe_read_user probe_read_kernel probe_read_user_str probe_read_kernel_str"),
        (5, 6, "tcp_send_ack send_signal_thread jiffies64"),
        (5, 7, "read_branch_records get_ns_current_pid_tgid xdp_output get_netns_cookie get_current_ancestor_cgroup_id "
            + "sk_assign"),
        (5, 8, "ktime_get_boot_ns seq_printf seq_write sk_cgroup_id sk_ancestor_cgroup_id ringbuf_output "
            + "ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query csum_level"),
        (5, 9, "skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock "
            + "get_task_stack"),
        (5, 10, "load_hdr_opt store_hdr_opt reserve_hdr_opt inode_storage_get inode_storage_delete d_path "
            + "copy_from_user snprintf_btf seq_printf_btf skb_cgroup_classid redirect_neigh per_cpu_ptr this_cpu_ptr "
            + "redirect_peer"),
        (5, 11, "task_storage_get task_storage_delete get_current_task_btf bprm_opts_set ktime_get_coarse_ns "
            + "ima_inode_hash sock_from_file"),
        (5, 12, "check_mtu"),
        (5, 13, "for_each_map_elem snprintf"),
        (5, 14, "sys_bpf btf_find_by_name_kind sys_close"),
        (5, 15, "timer_init timer_set_callback timer_start timer_cancel get_func_ip get_attach_cookie task_pt_regs"),
        (5, 16, "get_branch_snapshot trace_vprintk skc_to_unix_sock kallsyms_lookup_name"),
        (5, 17, "find_vma loop strncmp get_func_arg get_func_ret get_func_arg_cnt"),
        (5, 18, "get_retval set_retval xdp_get_buff_len xdp_load_bytes xdp_store_bytes copy_from_user_task "
            + "skb_set_tstamp ima_file_hash"),
        (5, 19, "kptr_xchg map_lookup_percpu_elem skc_to_mptcp_sock dynptr_from_mem ringbuf_reserve_dynptr "
            + "ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write dynptr_data"),
        (6, 0, "tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 "
            + "tcp_raw_check_syncookie_ipv6"),
        (6, 1, "ktime_get_tai_ns user_ringbuf_drain"),
        (6, 2, "cgrp_storage_get cgrp_storage_delete"),
    ]

    /// The first is number 111.
    static let entries: [Entry] = releases.flatMap { release in
        release.names.split(separator: " ").map {
            Entry(name: String($0), since: KernelVersion(release.major, release.minor))
        }
    }
}

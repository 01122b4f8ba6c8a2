/// Functions of the kernel that programs may call (kfuncs), with the release that introduced them, and the release that
/// removed or renamed them, or the first one known to lack them. Functions not listed are unknown, not absent. Compared
/// with the types of Debian's 5.10, 6.1, 6.12 and 7.3.
enum KernelFunction {
    struct Entry {
        let since: KernelVersion
        /// The first release without it.
        let until: KernelVersion?

        func isIn(_ kernel: KernelVersion) -> Bool { since <= kernel && until.map { kernel < $0 } ?? true }
    }

    /// The first release that lets programs call functions at all, by machine.
    static let calls: [TargetMachine: KernelVersion] = [.x86_64: KernelVersion(5, 13), .aarch64: KernelVersion(5, 18)]
    /// The first release that unwinds through a program's frames, by machine.
    static let exceptions: [TargetMachine: KernelVersion] = [
        .x86_64: KernelVersion(6, 7), .aarch64: KernelVersion(6, 9),
    ]

    /// Nil if no function of this name is known.
    static func entry(_ name: String) -> Entry? { entries[name] }

    /// Whether a module may have the function, with types of its own: it isn't known, or is known to be in a module.
    static func mayBeOfModule(_ name: String) -> Bool {
        entry(name) == nil || ["bbr_", "dctcp_", "cubictcp_", "hid_bpf_"].contains { name.hasPrefix($0) }
            || ["_ct_", "_fou_encap", "_xfrm_info"].contains { name.contains($0) }
    }

    private static let entries: [String: Entry] = {
        var entries: [String: Entry] = [:]
        for (major, minor, names) in releases {
            for name in names.split(separator: " ") {
                entries[String(name)] = Entry(since: KernelVersion(major, minor), until: removed[String(name)])
            }
        }
        return entries
    }()

    private static let removed: [String: KernelVersion] = [
        "bpf_task_acquire_not_zero": KernelVersion(6, 4), "bpf_task_kptr_get": KernelVersion(6, 4),
        "bpf_cgroup_kptr_get": KernelVersion(6, 4), "cubictcp_cwnd_event": KernelVersion(7, 3),
        "bpf_cpumask_any": KernelVersion(6, 5), "bpf_cpumask_any_and": KernelVersion(6, 5),
        "hid_bpf_attach_prog": KernelVersion(6, 11),
        "cgroup_rstat_updated": KernelVersion(6, 16), "cgroup_rstat_flush": KernelVersion(6, 16),
    ]

    private static let releases: [(major: Int, minor: Int, names: String)] = [
        (
            5, 13,
            "bbr_init bbr_main bbr_sndbuf_expand bbr_undo_cwnd bbr_cwnd_event bbr_ssthresh bbr_min_tso_segs "
                + "bbr_set_state cubictcp_init cubictcp_recalc_ssthresh cubictcp_state cubictcp_cwnd_event cubictcp_acked "
                + "dctcp_init dctcp_update_alpha dctcp_cwnd_event dctcp_ssthresh dctcp_cwnd_undo dctcp_state "
                + "tcp_reno_ssthresh tcp_reno_cong_avoid tcp_reno_undo_cwnd tcp_slow_start tcp_cong_avoid_ai"
        ),
        (5, 18, "bpf_xdp_ct_lookup bpf_skb_ct_lookup bpf_ct_release"),
        (
            6, 0,
            "bpf_xdp_ct_alloc bpf_skb_ct_alloc bpf_ct_insert_entry bpf_ct_set_timeout bpf_ct_change_timeout "
                + "bpf_ct_set_status bpf_ct_change_status"
        ),
        (
            6, 1,
            "cgroup_rstat_updated cgroup_rstat_flush bpf_lookup_user_key bpf_lookup_system_key bpf_key_put "
                + "bpf_verify_pkcs7_signature bpf_ct_set_nat_info crash_kexec"
        ),
        (
            6, 2,
            "bpf_obj_new_impl bpf_obj_drop_impl bpf_list_pop_front "
                + "bpf_list_pop_back bpf_task_acquire bpf_task_release bpf_task_acquire_not_zero bpf_task_kptr_get "
                + "bpf_task_from_pid bpf_cgroup_acquire bpf_cgroup_release bpf_cgroup_kptr_get bpf_cgroup_ancestor "
                + "bpf_cast_to_kern_ctx bpf_rdonly_cast bpf_rcu_read_lock bpf_rcu_read_unlock bpf_skb_get_xfrm_info "
                + "bpf_skb_set_xfrm_info"
        ),
        (
            6, 3,
            "bpf_cpumask_create bpf_cpumask_release bpf_cpumask_acquire bpf_cpumask_first bpf_cpumask_first_zero "
                + "bpf_cpumask_set_cpu bpf_cpumask_clear_cpu bpf_cpumask_test_cpu bpf_cpumask_test_and_set_cpu "
                + "bpf_cpumask_test_and_clear_cpu bpf_cpumask_setall bpf_cpumask_clear bpf_cpumask_and bpf_cpumask_or "
                + "bpf_cpumask_xor bpf_cpumask_equal bpf_cpumask_intersects bpf_cpumask_subset bpf_cpumask_empty "
                + "bpf_cpumask_full bpf_cpumask_copy bpf_cpumask_any bpf_cpumask_any_and bpf_rbtree_first "
                + "bpf_rbtree_remove bpf_xdp_metadata_rx_timestamp bpf_xdp_metadata_rx_hash hid_bpf_get_data "
                + "hid_bpf_attach_prog hid_bpf_allocate_context hid_bpf_release_context hid_bpf_hw_request"
        ),
        (
            6, 4,
            "bpf_refcount_acquire_impl bpf_list_push_front_impl bpf_list_push_back_impl bpf_rbtree_add_impl "
                + "bpf_cgroup_from_id bpf_dynptr_slice bpf_dynptr_slice_rdwr bpf_iter_num_new bpf_iter_num_next "
                + "bpf_iter_num_destroy bpf_dynptr_from_skb bpf_dynptr_from_xdp bpf_skb_set_fou_encap "
                + "bpf_skb_get_fou_encap"
        ),
        (
            6, 5,
            "bpf_cpumask_first_and bpf_cpumask_any_distribute bpf_cpumask_any_and_distribute bpf_task_under_cgroup "
                + "bpf_dynptr_adjust bpf_dynptr_is_null bpf_dynptr_is_rdonly bpf_dynptr_size bpf_dynptr_clone "
                + "bpf_sock_destroy"
        ),
        (6, 6, "bpf_map_sum_elem_count"),
        (
            6, 7,
            "bpf_percpu_obj_new_impl bpf_percpu_obj_drop_impl bpf_throw bpf_iter_task_vma_new "
                + "bpf_iter_task_vma_next bpf_iter_task_vma_destroy bpf_iter_css_task_new bpf_iter_css_task_next "
                + "bpf_iter_css_task_destroy bpf_iter_css_new bpf_iter_css_next bpf_iter_css_destroy bpf_iter_task_new "
                + "bpf_iter_task_next bpf_iter_task_destroy bpf_sock_addr_set_sun_path"
        ),
        (
            6, 8,
            "bpf_get_file_xattr bpf_cpumask_weight bpf_task_get_cgroup1 bpf_get_fsverity_digest "
                + "bpf_xdp_metadata_rx_vlan_tag bpf_xdp_get_xfrm_state bpf_xdp_xfrm_state_release"
        ),
        (6, 9, "bpf_arena_alloc_pages bpf_arena_free_pages bpf_sk_assign_tcp_reqsk"),
        (
            6, 10,
            "bpf_wq_init bpf_wq_set_callback_impl bpf_wq_start bpf_preempt_disable bpf_preempt_enable "
                + "bpf_crypto_ctx_create bpf_crypto_ctx_release bpf_crypto_ctx_acquire bpf_crypto_decrypt "
                + "bpf_crypto_encrypt bpf_session_is_return bpf_session_cookie"
        ),
        (6, 11, "bpf_iter_bits_new bpf_iter_bits_next bpf_iter_bits_destroy"),
        (6, 12, "bpf_copy_from_user_str bpf_get_task_exe_file bpf_put_file bpf_path_d_path bpf_get_dentry_xattr"),
        (
            6, 13,
            "bpf_get_kmem_cache bpf_iter_kmem_cache_new bpf_iter_kmem_cache_next bpf_iter_kmem_cache_destroy "
                + "bpf_send_signal_task bpf_task_from_vpid"
        ),
        (6, 14, "bpf_local_irq_save bpf_local_irq_restore"),
        (
            6, 15,
            "bpf_cpumask_populate bpf_copy_from_user_task_str bpf_dynptr_copy bpf_res_spin_lock "
                + "bpf_res_spin_unlock bpf_res_spin_lock_irqsave bpf_res_spin_unlock_irqrestore bpf_set_dentry_xattr "
                + "bpf_remove_dentry_xattr bpf_sock_ops_enable_tx_tstamp"
        ),
        (
            6, 16,
            "bpf_iter_dmabuf_new bpf_iter_dmabuf_next bpf_iter_dmabuf_destroy bpf_probe_read_user_dynptr "
                + "bpf_probe_read_kernel_dynptr bpf_probe_read_user_str_dynptr bpf_probe_read_kernel_str_dynptr "
                + "bpf_copy_from_user_dynptr bpf_copy_from_user_str_dynptr bpf_copy_from_user_task_dynptr "
                + "bpf_copy_from_user_task_str_dynptr bpf_list_front bpf_list_back bpf_rbtree_root bpf_rbtree_left "
                + "bpf_rbtree_right css_rstat_updated css_rstat_flush"
        ),
        (
            6, 17,
            "bpf_arena_reserve_pages bpf_dynptr_memset bpf_cgroup_read_xattr bpf_strcmp bpf_strnchr bpf_strchr "
                + "bpf_strchrnul bpf_strrchr bpf_strlen bpf_strnlen bpf_strspn bpf_strcspn bpf_strnstr bpf_strstr"
        ),
    ]
}

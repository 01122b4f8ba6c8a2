import BPFCheck
import Testing

/// Helpers: unknown numbers, the kinds of BPF programs that may call them, and licences.
@Suite struct HelperTests {
    private static let readKernel = "__u64 word; return read_kernel(&word, 8, context)"

    @Test(arguments: ["5000", "212", "-7"])
    func numberThatIsNoHelpers(number: String) throws {
        let object = try BPFObject("kprobe/x", "return none()", "HELPER(\(number), long, none, void);")
        for (major, minor) in [(5, 4), (6, 1), (7, 3)] {
            let findings = object.findings(major, minor)
            #expect(findings.map(\.refusal) == ["invalid func unknown#\(number)"])
            #expect(findings.map(\.since) == [nil])
        }
    }

    @Test func lastNumberIsAHelper() throws {
        let object = try BPFObject("syscall", "return last(0, 0)", "HELPER(211, long, last, void *map, void *group);")
        #expect(object.kinds(6, 1) == ["helper program"])
        #expect(object.findings(6, 2) == [])
    }

    @Test(arguments: ["Proprietary", "GPLv2", "gpl", "MIT", ""])
    func restrictedHelperNeedsALicenceLikeTheKernels(licence: String) throws {
        let findings = try BPFObject("kprobe/x", Self.readKernel, licence: licence).findings(6, 1)
        #expect(findings.map(\.kind) == [.licence])
        #expect(findings.map(\.refusal) == ["cannot call GPL-restricted function from non-GPL compatible program"])
        #expect(findings.first?.problem.contains(licence.isEmpty ? "has no licence" : "\"\(licence)\"") == true)
    }

    @Test(arguments: [
        "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
    ])
    func licencesLikeTheKernels(licence: String) throws {
        #expect(try BPFObject("kprobe/x", Self.readKernel, licence: licence).findings(6, 1) == [])
    }

    /// NEL, which some terminals interpret, and an escape.
    @Test func namesHaveNoControlCharacters() throws {
        let object = try BPFObject("kprobe/x", Self.readKernel, licence: "a\\302\\205b\\033c\\303\\244")
        #expect(object.licence == "a?b?cä")
        #expect(object.findings(6, 1).first?.problem.contains("\"a?b?cä\"") == true)
    }

    @Test func helperForAnybodyNeedsNoLicence() throws {
        #expect(try BPFObject("kprobe/x", "return now()", licence: "Proprietary").findings(6, 1) == [])
    }

    /// Security hooks need such a licence regardless of the helpers that they call.
    @Test func securityHooksNeedALicenceLikeTheKernels() throws {
        let object = try BPFObject("lsm/file_open", "return 0", licence: "Proprietary")
        #expect(object.findings(6, 12).map(\.kind) == [.licence])
    }

    /// skb_load_bytes is for packets; XDP got get_current_pid_tgid between 6.1 and 6.12.
    @Test func helperForOtherKindsOfPrograms() throws {
        let never = try BPFObject(
            "kprobe/x", "char bytes[4]; return load(context, 0, bytes, 4)",
            "HELPER(26, long, load, void *packet, __u32 offset, void *to, __u32 size);")
        #expect(never.findings(5, 10).map(\.refusal) == ["unknown func bpf_skb_load_bytes#26"])
        #expect(never.findings(7, 3).map(\.refusal) == ["program of this type cannot use helper bpf_skb_load_bytes#26"])
        let packet = try BPFObject(
            "tc", "char bytes[4]; return load(context, 0, bytes, 4)",
            "HELPER(26, long, load, void *packet, __u32 offset, void *to, __u32 size);")
        #expect(packet.findings(5, 4) == [])
        let later = try BPFObject("xdp", "return pid()", "HELPER(14, __u64, pid, void);")
        #expect(later.findings(5, 10).map(\.kind) == [.helperAccess])
        let problem = later.findings(6, 1).first?.problem ?? ""
        #expect(problem.hasSuffix("programs for xdp may not call; Linux 6.12 allows it"), "\(problem)")
        #expect(later.findings(6, 12) == [])
    }

    /// Between two releases that were tested, the first one with a helper is unknown, so there is no finding.
    @Test func nothingIsGuessedBetweenMeasuredReleases() throws {
        let object = try BPFObject("xdp", "return pid()", "HELPER(14, __u64, pid, void);")
        for minor in 2...11 { #expect(object.findings(6, minor) == []) }
    }

    @Test func addressOfAFunctionIsForProbes() throws {
        let declaration = "HELPER(173, __u64, address, void *context);"
        #expect(
            try BPFObject("tracepoint/a/b", "return address(context)", declaration).kinds(6, 1)
                == ["helper-access program"])
        #expect(try BPFObject("kprobe/x", "return address(context)", declaration).findings(6, 1) == [])
    }

    /// A kernel's types are more reliable than its release, because vendors backport helpers.
    @Test func typesDecideWhichHelpersThereAre() throws {
        let object = try BPFObject("kprobe/x", "return tai()", "HELPER(208, __u64, tai, void);")
        let with = try BPFSource.types("enum bpf_func_id { BPF_FUNC_ktime_get_tai_ns = 208 } it;")
        let without = try BPFSource.types("enum bpf_func_id { BPF_FUNC_ktime_get_ns = 5 } it;")
        #expect(object.findings(kernel: KernelVersion(5, 10), types: with) == [])
        #expect(object.findings(kernel: KernelVersion(6, 12), types: without).map(\.kind) == [.helper])
    }
}

import BPFCheck
import Testing

/// Maps, kinds of BPF programs, tail calls, stacks.
@Suite struct ProgramTests {
    @Test func mapsAndFlagsByRelease() throws {
        let object = try BPFSource.object("maps")
        #expect(
            object.findings(5, 10).filter { $0.kind == .map }.map(\.problem) == [
                "the map task_local is a BPF_MAP_TYPE_TASK_STORAGE"
            ])
        #expect(object.findings(5, 7).filter { $0.kind == .map }.count == 2)
        #expect(
            object.findings(5, 4).filter { $0.kind == .mapFlag }.map(\.problem) == [
                "the map mapped_array has the flag BPF_F_MMAPABLE"
            ])
        #expect(object.findings(5, 5).filter { $0.kind == .mapFlag } == [])
        #expect(object.findings(6, 1) == [])
    }

    @Test func hashWithoutPreallocationInPerfEventNeeds61() throws {
        let findings = try BPFSource.object("maps").findings(6, 0)
        #expect(findings.map(\.kind) == [.preallocation])
        // The raw tracepoint program may use it.
        #expect(findings.map(\.program) == ["samples"])
        #expect(findings.map(\.function) == ["of_late"])
    }

    @Test func kindsOfProgramsByRelease() throws {
        let object = try BPFSource.object("new-program")
        #expect(object.kinds(5, 10) == ["program many", "program runs"])
        #expect(object.kinds(5, 14) == ["program many"])
        #expect(object.findings(5, 18, [.x86_64]) == [])
        #expect(object.kinds(6, 13, [.aarch64]) == ["program many"])
        #expect(object.findings(6, 14) == [])
    }

    @Test func trampolinesOfAArch64Need64() throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                SEC("fentry/vfs_read") int program(void *context) { return any(); }
                """)
        #expect(object.findings(6, 1, [.x86_64]) == [])
        #expect(object.findings(6, 1).map(\.machines) == [[.aarch64]])
        #expect(object.findings(6, 4) == [])
    }

    /// 6.19 lacks it and 7.3 has it. The first release in between is unknown, so there is no finding.
    @Test func kindsWhoseFirstReleaseIsNotKnown() throws {
        let object = try BPFObject(
            "fsession/x", "return 0",
            "MAP(it, __uint(type, 35); __uint(max_entries, 1); "
                + "__type(key, int); __type(value, int););")
        #expect(object.kinds(6, 19) == ["map -", "program program"])
        #expect(object.findings(6, 19).map(\.since) == [nil, nil])
        for minor in 0...3 { #expect(object.findings(7, minor) == []) }
    }

    /// aarch64 has BPF trampolines since 6.0.
    @Test func structOpsByMachine() throws {
        let object = try BPFObject("struct_ops/open", "return 0")
        #expect(object.kinds(5, 5) == ["program program"])
        #expect(object.findings(5, 19, [.x86_64]) == [])
        #expect(object.findings(5, 19).map(\.machines) == [[.aarch64]])
        #expect(object.findings(6, 0) == [])
    }

    @Test(arguments: [
        "elsewhere", "xdp/mine", "tc/mine", "kprobe_x", "socket1", "cgroup_skb", "perf_event/x", "sk_skb/other",
    ])
    func sectionsThatLibbpfDoesNotKnow(section: String) throws {
        let findings = try BPFObject(section, "return 0").findings(6, 12)
        #expect(findings.map(\.refusal) == ["missing BPF prog type, check ELF section name '\(section)'"])
        #expect(try BPFObject("?" + section, "return 0").findings(6, 12).map(\.isRefusal) == [false])
    }

    @Test(arguments: [
        "xdp", "tc", "kprobe", "kprobe/x", "raw_tp", "socket", "cgroup_skb/ingress", "sk_skb/stream_parser", "sk_msg",
        "cgroup/connect4", "tcx/ingress", "usdt/a:b:c", "syscall", "lirc_mode2", "cgroup/post_bind6",
    ])
    func sectionsThatItKnows(section: String) throws {
        #expect(try BPFObject(section, "return 0").findings(6, 12) == [])
    }

    @Test func tailCallsBesideFunctionsByMachine() throws {
        let object = try BPFSource.object("tail-call")
        func machines(_ major: Int, _ minor: Int) -> Set<[TargetMachine]?> {
            Set(object.findings(major, minor).filter { $0.kind == .tailCall }.map(\.machines))
        }
        #expect(machines(5, 9) == [[.x86_64], [.aarch64]])
        #expect(machines(5, 10) == [[.aarch64]])
        #expect(machines(6, 0) == [])
        #expect(object.findings(5, 10, [.x86_64]).allSatisfy { $0.kind != .tailCall })
    }

    @Test func tailCallUnderMuchStack() throws {
        let findings = try BPFSource.object("tail-call").findings(6, 1)
        #expect(findings.map(\.kind) == [.stackDepth])
        #expect(findings.map(\.program) == ["deep"])
        #expect(
            findings.map(\.refusal) == [
                "tail_calls are not allowed when call stack of previous frames is 256 bytes. Too large"
            ])
    }

    @Test func deepStackShowsItsChain() throws {
        let object = try BPFSource.object("deep-stack")
        #expect(object.findings(5, 10).map(\.refusal) == ["combined stack size of 3 calls is 672. Too large"])
        #expect(object.findings(5, 10)[0].problem.contains("outermost (224) > middle (224) > deepest (224)"))
        // From 6.9 on, frame sizes are rounded to 16 bytes instead of 32.
        #expect(object.findings(6, 12).map(\.refusal) == ["combined stack size of 3 calls is 624. Too large"])
        // Private stacks exist since 6.13 on x86-64, and since 6.17 on aarch64.
        #expect(object.findings(6, 13, [.x86_64]) == [])
        #expect(object.findings(6, 13, [.aarch64]).count == 1)
        #expect(object.findings(7, 3) == [])
    }

    /// 272 + 240 bytes are 512; rounded to 32 they are 288 + 256 = 544.
    @Test func frameSizesAreRounded() throws {
        let object = try BPFSource.object(text: Self.frames([272, 240]))
        #expect(object.findings(6, 8).map(\.refusal) == ["combined stack size of 2 calls is 544. Too large"])
        #expect(object.findings(6, 9) == [])
    }

    /// Functions that call each other, each with a buffer of the given size, whose last word it writes.
    private static func frames(_ sizes: [Int]) -> String {
        var text = "#include \"bpf.h\"\n"
        for (index, size) in sizes.enumerated().reversed() {
            text += (index == 0 ? "SEC(\"perf_event\")" : "static __noinline") + " int f\(index)(void *context)"
            let call = index + 1 < sizes.count ? "f\(index + 1)(context)" : "any()"
            text += """
                 {
                    asm volatile("r1 = 0; *(u64 *)(r10 - \(size)) = r1" ::: "r1", "memory");
                    return \(call) + 1;
                }

                """
        }
        return text
    }

    @Test func nineFramesAreTooMany() throws {
        let deep = try BPFSource.object(text: Self.frames(Array(repeating: 8, count: 9)))
        #expect(deep.findings(6, 1).map(\.kind) == [.callDepth])
        #expect(deep.findings(6, 1)[0].problem.hasPrefix("9 frames in f0 > f1 > f2"))
        #expect(deep.findings(6, 1)[0].refusal == "the call stack of 9 frames is too deep")
        #expect(deep.findings(7, 3) == [])
        #expect(try BPFSource.object(text: Self.frames(Array(repeating: 8, count: 8))).findings(6, 1) == [])
        let deeper = try BPFSource.object(text: Self.frames(Array(repeating: 8, count: 17)))
        #expect(deeper.kinds(7, 3) == ["call-depth f16"])
    }

    @Test func recursionIsSaid() throws {
        let findings = try BPFSource.object("recursion").findings(6, 1)
        #expect(findings.map(\.kind) == [.recursion])
        #expect(findings.map(\.program) == ["counts_down"])
    }
}

import BPFCheck
import ELF
import TestFixtures
import Testing

/// Checks against a kernel's types, and of kernel functions by release.
@Suite struct KernelTypesTests {
    private static let rcu = "extern void bpf_rcu_read_lock(void) __ksym;"

    @Test func kernelFunctionsByRelease() throws {
        let object = try BPFObject("tp_btf/x", "bpf_rcu_read_lock(); return 0", Self.rcu)
        #expect(object.findings(5, 10).map(\.since) == [KernelVersion(6, 2)])
        #expect(object.findings(6, 1).map(\.refusal) == ["extern (func ksym) 'bpf_rcu_read_lock': not found"])
        #expect(object.findings(6, 2) == [])
    }

    @Test func kernelFunctionsThatAreGone() throws {
        let object = try BPFObject(
            "tp_btf/x", "cgroup_rstat_flush(context); return 0", "extern void cgroup_rstat_flush(void *) __ksym;")
        #expect(object.findings(6, 15) == [])
        #expect(
            object.findings(6, 16).map(\.problem) == [
                "calls cgroup_rstat_flush(), a kernel function that Linux 6.16 removed"
            ])
    }

    /// An unknown function is neither rejected nor accepted.
    @Test func unknownKernelFunctionsSayThatTheyAre() throws {
        let object = try BPFObject("tp_btf/x", "return anything(1)", "extern int anything(int) __ksym;")
        let findings = object.findings(6, 12)
        #expect(findings.map(\.isRefusal) == [false])
        #expect(findings.first?.problem.contains("it is not known which releases have it") == true)
        // Before 5.13 BPF programs can't call kernel functions.
        #expect(object.findings(5, 12).map(\.isRefusal) == [true])
    }

    @Test func kernelFunctionsByMachine() throws {
        let object = try BPFObject(
            "struct_ops/x", "tcp_slow_start(context, 1); return 0", "extern int tcp_slow_start(void *, int) __ksym;")
        #expect(object.findings(5, 17, [.x86_64]) == [])
        #expect(object.findings(5, 17, [.aarch64]).map(\.since).contains(KernelVersion(5, 18)))
    }

    /// aarch64 can unwind frames of BPF programs since 6.9.
    @Test func exceptionsByMachine() throws {
        let object = try BPFObject("tc", "bpf_throw(1); return 0", "extern void bpf_throw(__u64) __ksym;")
        #expect(object.findings(6, 8, [.x86_64]) == [])
        #expect(object.findings(6, 8, [.aarch64]).map(\.since) == [KernelVersion(6, 9)])
    }

    /// A function that is in no module is certainly rejected if the types lack it. conntrack's functions are in a
    /// module.
    @Test func functionsThatNoModuleHas() throws {
        let types = try BPFSource.types("int something(int a) { return a; }")
        func isRefusal(_ declaration: String, _ body: String) throws -> [Bool] {
            let object = try BPFObject("xdp", body, declaration)
            return object.findings(kernel: KernelVersion(6, 12), types: types).map(\.isRefusal)
        }
        #expect(try isRefusal(Self.rcu, "bpf_rcu_read_lock(); return 0") == [true])
        #expect(
            try isRefusal("extern void bpf_ct_release(void *) __ksym;", "bpf_ct_release(context); return 0")
                == [false])
    }

    @Test(arguments: [("", "there", []), ("", "missing", [true]), ("__weak", "missing", [])])
    func typedVariables(weak: String, name: String, isRefusal: [Bool]) throws {
        let fixture = try Fixture()
        try fixture.write(BPFSource.section(".BTF", of: "int there = 1;"), to: "btf/vmlinux")
        let types = try KernelBTF(path: fixture.directory + "/btf")
        let object = try BPFObject(
            "raw_tp/x", "return \(name)", "extern const int \(name) __ksym \(weak);")
        let findings = object.findings(kernel: KernelVersion(6, 12), types: types)
        #expect(findings.map(\.isRefusal) == isRefusal)
    }

    @Test func structuresOfOperations() throws {
        let object = try BPFObject(
            "raw_tp/x", "return 0",
            """
            struct some_ops { int (*open)(void); };
            struct some_ops mine SEC(".struct_ops") = {};
            """)
        let with = try BPFSource.types("struct bpf_struct_ops_some_ops { int data; } it;")
        let without = try BPFSource.types("struct some_ops { int data; } it;")
        #expect(object.findings(kernel: KernelVersion(6, 12), types: with) == [])
        #expect(
            object.findings(kernel: KernelVersion(6, 12), types: without).map(\.problem) == [
                "mine is a struct some_ops, which the kernel's types don't support"
            ])
    }

    @Test func kernelFunctionsNeedALicenceLikeTheKernels() throws {
        let object = try BPFObject("tp_btf/x", "bpf_rcu_read_lock(); return 0", Self.rcu, licence: "MIT")
        #expect(object.findings(6, 12).map(\.kind) == [.licence])
    }

    @Test func weakFunctionsAreAskedFor() throws {
        let declaration = "extern void bpf_rcu_read_lock(void) __ksym __weak;"
        let asks = try BPFObject("tp_btf/x", "if (bpf_rcu_read_lock) bpf_rcu_read_lock(); return 0", declaration)
        #expect(asks.findings(6, 1) == [])
        let calls = try BPFObject("tp_btf/x", "bpf_rcu_read_lock(); return 0", declaration)
        #expect(calls.findings(5, 10).map(\.refusal) == ["BPF_CALL uses reserved fields"])
        #expect(calls.findings(6, 1).map(\.refusal) == ["invalid kernel function call not eliminated"])
    }

    @Test func kernelFunctionsAgainstTypes() throws {
        let object = try BPFObject("tp_btf/it", "return there(1)", "extern int there(int) __ksym;")
        func problems(_ declaration: String) throws -> [String] {
            let types = try BPFSource.types(
                """
                typedef void (*btf_trace_it)(void *);
                btf_trace_it keep;
                \(declaration)
                """)
            return object.findings(kernel: KernelVersion(6, 12), types: types).map(\.problem)
        }
        let tag = "__attribute__((btf_decl_tag(\"bpf_kfunc\")))"
        #expect(try problems("\(tag) int there(int a) { return a; }") == [])
        // Before 6.10 types don't state which functions can be called.
        #expect(
            try problems("int there(int a) { return a; }") == [
                "calls there(), a kernel function that programs may not be allowed to call: types before Linux "
                    + "6.10 don't record it"
            ])
        #expect(
            try problems("int elsewhere(int a) { return a; }") == [
                "calls there(), a kernel function that isn't in the kernel's types"
            ])
        #expect(
            try problems("int there(int a) { return a; } \(tag) int other(int a) { return a; }") == [
                "calls there(), a kernel function that programs can't call"
            ])
        #expect(
            try problems("\(tag) int there(int a, int b) { return a + b; }") == [
                "calls there(), a kernel function that is declared with types other than the kernel's"
            ])
        #expect(try problems("\(tag) int there(int *a) { return *a; }").count == 1)
    }

    @Test(arguments: [
        ("fentry/there", true), ("fentry/elsewhere", false), ("tp_btf/it", true), ("tp_btf/other", false),
        ("lsm/open", true), ("lsm/shut", false), ("iter/task", true), ("iter/mask", false),
    ])
    func attachTargets(section: String, isThere: Bool) throws {
        let types = try BPFSource.types(
            """
            typedef void (*btf_trace_it)(void *);
            btf_trace_it keep;
            int there(int a) { return a; }
            int bpf_lsm_open(int a) { return a; }
            int bpf_iter_task(int a) { return a; }
            """)
        let findings = try BPFObject(section, "return 0").findings(kernel: KernelVersion(6, 12), types: types)
        #expect(findings.map(\.kind) == (isThere ? [] : [.attachTarget]))
        // Modules have their own types, but no security hooks.
        if !isThere { #expect(findings[0].isRefusal == section.hasPrefix("lsm")) }
    }

    /// A kernel's types and those of its modules, whose string offsets continue the kernel's.
    @Test func modulesHaveTypesOfTheirOwn() throws {
        let fixture = try Fixture()
        let kernel = try BPFSource.section(".BTF", of: "int there(int a) { return a; }")
        try fixture.write(kernel, to: "btf/vmlinux")
        // A module's string offsets start at the end of the kernel's strings.
        let size = UInt32(kernel[20...23].reversed().reduce(0) { $0 << 8 | Int($1) })
        var name = size.littleEndian + 1
        var module: [UInt8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 11, 0, 0, 0]
        module += withUnsafeBytes(of: &name) { Array($0) } + [0, 0, 0, 12, 1, 0, 0, 0] + Array("\0of_module\0".utf8)
        try fixture.write(module, to: "btf/module")
        let types = try KernelBTF(path: fixture.directory + "/btf")
        func findings(_ target: String) throws -> [Finding] {
            try BPFObject("fentry/\(target)", "return 0").findings(kernel: KernelVersion(6, 12), types: types)
        }
        #expect(try findings("there") == [])
        #expect(try findings("of_module") == [])
        #expect(try findings("nobodys").map(\.isRefusal) == [true])
    }

    @Test(arguments: ["fentry", "lsm", "tp_btf", "iter", "fexit.s"])
    func programsForTypesNeedATarget(section: String) throws {
        #expect(try BPFObject(section, "return 0").kinds(6, 12) == ["attach-target program"])
    }

    /// As in a vendor's kernel, regardless of its release number.
    @Test func kindsAndFlagsAreThoseOfTheTypes() throws {
        let program = try BPFObject(
            "kprobe.multi/x", "return 0",
            """
            MAP(it, __uint(type, 2); __uint(max_entries, 1); __uint(map_flags, 1024); __type(key, int);
                __type(value, int););
            """)
        let flags = "enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 } flags;"
        let with = try BPFSource.types("enum bpf_attach_type { BPF_TRACE_KPROBE_MULTI = 42 } it; \(flags)")
        #expect(program.findings(kernel: KernelVersion(5, 4), types: with, machines: [.x86_64]) == [])
        let without = try BPFSource.types(
            """
            enum bpf_attach_type { BPF_XDP = 37 } it;
            enum { BPF_F_NO_PREALLOC = 1 } flags;
            """)
        #expect(
            program.findings(kernel: KernelVersion(6, 1), types: without, machines: [.x86_64]).map(\.kind)
                == [.mapFlag, .program])
    }

    @Test func relocationsAgainstTypes() throws {
        let object = try BPFObject(
            "kprobe/x", "int it; return read_kernel(&it, 4, &((struct a___mine *)now())->b.c[2])",
            "struct b { char d; int c[4]; } __core; struct a___mine { struct b b; } __core;")
        func refusals(_ text: String) throws -> [String?] {
            let types = try BPFSource.types(
                text + "enum bpf_func_id { BPF_FUNC_ktime_get_ns, "
                    + "BPF_FUNC_probe_read_kernel } keep;")
            return object.findings(kernel: KernelVersion(6, 12), types: types).map(\.refusal)
        }
        let refused = "invalid func unknown#195896080"
        #expect(try refusals("struct a { struct { union { long c[4]; int e; }; } b; } it; ") == [])
        #expect(try refusals("struct a { struct { int e; } b; } it; ") == [refused])
        #expect(try refusals("struct other { int e; } it; ") == [refused])
        // Without types there is no finding.
        #expect(object.findings(6, 12) == [])
    }

    @Test(arguments: ["", "not BTF", "\u{7f}ELF"])
    func whatIsNoTypes(text: String) throws {
        let path = try Fixture().write(Array(text.utf8), to: "types")
        #expect(throws: ELFError.self) { try KernelBTF(path: path) }
        #expect(throws: ELFError.self) { try KernelBTF(path: "/dev/zero") }
    }

    /// Changed bytes of a kernel's types must not cause a crash.
    @Test func changedTypesNeverCrash() throws {
        let fixture = try Fixture()
        let object = try BPFObject(
            "fentry/there", "struct a *it = context; return field_exists(it->b) ? there(1) : 0",
            "extern int there(int) __ksym; struct a { int b; } __core;")
        let source = try BPFSource.bytes("good")
        let sections = try ELFImage(bytes: source, name: "good").sections()
        let section = try #require(sections.first { $0.name == ".BTF" })
        let bytes = Array(source[Int(section.offset)..<Int(section.offset + section.size)])
        var random = SeededGenerator(seed: 12)
        for _ in 0..<500 {
            var changed = bytes
            for _ in 0..<4 {
                changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let path = try fixture.write(changed, to: "types")
            guard let types = try? KernelBTF(path: path) else { continue }
            _ = object.findings(kernel: KernelVersion(6, 12), types: types)
        }
    }
}

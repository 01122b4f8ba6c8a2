import BPFCheck
import Testing

/// Findings that depend on more than the kernel's release, and BPF programs that aren't loaded by default.
@Suite struct ConditionTests {
    private static let tai = "HELPER(208, __u64, tai, void);"

    private static func conditions(_ declarations: String, _ body: String) throws -> [String?] {
        try BPFObject("kprobe/x", body, tai + "\n" + declarations).findings(5, 10).map(\.condition)
    }

    /// libbpf doesn't change the object's constants unless a loader asks for it.
    @Test func constantsAreWhatTheObjectSays() throws {
        let body = "return use_tai ? tai() : 0"
        #expect(try Self.conditions("static const volatile int use_tai = 1;", body) == [nil])
        #expect(
            try Self.conditions("static const volatile int use_tai;", body)
                == ["the loader changes the constant use_tai"])
        #expect(
            try Self.conditions(
                "static const volatile char use_tai[3] = {0, 1, 0};",
                """
                return use_tai[1] && !use_tai[2] ? tai() : 0
                """) == [nil])
    }

    /// The verifier tracks constants in maps since 5.5.
    @Test func constantsWereNotFollowedBefore55() throws {
        let object = try BPFObject(
            "kprobe/x", "return use_tai ? tai() : 0", Self.tai + "static const volatile int use_tai;")
        #expect(object.findings(5, 4).map(\.condition) == [nil])
    }

    @Test func configurationsDecide() throws {
        let declaration = "extern int CONFIG_HZ __kconfig;"
        #expect(try Self.conditions(declaration, "return CONFIG_HZ == 100 ? tai() : 0") == ["CONFIG_HZ == 100"])
        #expect(try Self.conditions(declaration, "return CONFIG_HZ == 100 ? 0 : tai()") == ["CONFIG_HZ != 100"])
        // After both branches it counts in any case.
        #expect(
            try Self.conditions(
                declaration,
                """
                if (CONFIG_HZ == 100) asm volatile("r9 = 1" ::: "r9"); return tai()
                """) == [nil])
    }

    @Test func whatLibbpfWorksOutItself() throws {
        let declaration = "extern _Bool LINUX_HAS_BPF_COOKIE __kconfig __weak;\n"
        let cookie = "HELPER(174, __u64, cookie, void *);\n" + declaration
        let object = try BPFObject("kprobe/x", "return LINUX_HAS_BPF_COOKIE ? cookie(context) : 0", cookie)
        for (major, minor) in [(5, 10), (5, 14), (5, 15), (6, 1)] { #expect(object.findings(major, minor) == []) }
        let other = try BPFObject("kprobe/x", "return LINUX_HAS_BPF_COOKIE ? 0 : tai()", declaration + Self.tai)
        #expect(other.kinds(5, 14) == ["helper program"] && other.findings(5, 15) == [])
        #expect(
            try Self.conditions(
                "extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig __weak;",
                """
                return LINUX_HAS_SYSCALL_WRAPPER ? 0 : tai()
                """) == [])
    }

    @Test func existenceIsAskedOfTheKernelsTypes() throws {
        let body = "struct task_struct *task = context; return field_exists(task->exit_code) ? tai() : 0"
        let object = try BPFObject("kprobe/x", body, Self.tai + "struct task_struct { int exit_code; } __core;")
        #expect(object.findings(5, 10).map(\.condition) == ["the kernel has task_struct.exit_code"])
        let functions = "enum bpf_func_id { BPF_FUNC_unspec } ids;"
        let with = try BPFSource.types("struct task_struct { struct { int exit_code; }; } it; \(functions)")
        #expect(object.findings(kernel: KernelVersion(5, 10), types: with).map(\.condition) == [nil])
        let without = try BPFSource.types("struct task_struct { int pid; } it; \(functions)")
        #expect(object.findings(kernel: KernelVersion(5, 10), types: without) == [])
        let other = try BPFSource.types("struct task_struct { int *exit_code; } it; \(functions)")
        #expect(object.findings(kernel: KernelVersion(5, 10), types: other) == [])
    }

    @Test func conditionsGoWithCalls() throws {
        let object = try BPFObject(
            "kprobe/x", "return use_tai ? asks(1) : 0",
            Self.tai + """
                static const volatile int use_tai;
                static __noinline int asks(int number) { return number + tai(); }
                """)
        #expect(object.findings(5, 10).map(\.condition) == ["the loader changes the constant use_tai"])
    }

    @Test func optionalProgramsAreToldApart() throws {
        let always = "SEC(\"xdp\") int always(void *context) { return 2; }"
        let object = try BPFObject("?kprobe/x", "return tai()", Self.tai + always)
        let findings = object.findings(5, 10)
        #expect(findings.map(\.isOptional) == [true] && findings.map(\.isRefusal) == [false])
        // A function called by both kinds of BPF programs is loaded.
        let both = try BPFObject(
            "kprobe/x", "return asks(1)",
            Self.tai + """
                static __noinline int asks(int number) { return number + tai(); }
                SEC("?kprobe/x") int optional(void *context) { return asks(2); }
                """)
        #expect(both.findings(5, 10).map(\.isOptional) == [false])
    }
}

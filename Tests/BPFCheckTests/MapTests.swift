import BPFCheck
import Testing

/// Map definitions that kernels reject.
@Suite struct MapTests {
    private static func findings(_ fields: String, _ major: Int = 6, _ minor: Int = 12) throws -> [Finding] {
        try BPFObject("raw_tp/x", "return 0", "MAP(it, \(fields));").findings(major, minor)
    }

    private static func type(_ number: Int) -> String { "__uint(type, \(number));" }
    private static let key = "__type(key, __u32);"
    private static let value = "__type(value, __u64);"
    private static let entries = "__uint(max_entries, 16);"

    @Test(arguments: [
        ("a hash", "\(type(1)) \(entries) \(key) \(value)"),
        ("an array", "\(type(2)) \(entries) \(key) \(value)"),
        ("a perf event array, as large as there are CPUs", "\(type(4)) \(key) __type(value, int);"),
        ("32 KiB for each CPU", "\(type(6)) \(entries) \(key) __type(value, char[32768]);"),
        ("a trie", "\(type(11)) \(entries) \(value) __type(key, __u64); __uint(map_flags, 1);"),
        ("a queue", "\(type(22)) \(entries) \(value)"),
        ("a ring buffer", "\(type(27)) __uint(max_entries, 8192);"),
        ("a task's storage", "\(type(29)) __type(key, int); \(value) __uint(map_flags, 1);"),
        ("a long key", "\(type(1)) \(entries) __uint(key_size, 600); \(value)"),
    ])
    func mapsThatAreCreated(name: String, fields: String) throws {
        #expect(try Self.findings(fields) == [], "\(name)")
    }

    @Test(arguments: [
        ("has no max_entries", "\(type(1)) \(key) \(value)"),
        ("has values without a size", "\(type(1)) \(entries) \(key)"),
        ("has keys without a size", "\(type(1)) \(entries) \(value)"),
        (
            "has 8-byte keys; BPF_MAP_TYPE_ARRAY requires 4-byte keys",
            "\(type(2)) \(entries) \(value) "
                + "__type(key, long);"
        ),
        ("has 32769-byte values for each CPU", "\(type(6)) \(entries) \(key) __type(value, char[32769]);"),
        ("has 40000-byte values for each CPU", "\(type(5)) \(entries) \(key) __type(value, char[40000]);"),
        ("has values; BPF_MAP_TYPE_RINGBUF has none", "\(type(27)) __uint(max_entries, 4096); \(value)"),
        ("lacks BPF_F_NO_PREALLOC", "\(type(11)) \(entries) __type(key, __u64); \(value)"),
        (
            "has 4-byte keys; BPF_MAP_TYPE_LPM_TRIE requires 5 to 260 bytes",
            "\(type(11)) \(entries) \(key) \(value) "
                + "__uint(map_flags, 1);"
        ),
        ("has keys; BPF_MAP_TYPE_QUEUE has none", "\(type(22)) \(entries) \(key) \(value)"),
        (
            "has flags that BPF_MAP_TYPE_LRU_HASH doesn't accept",
            "\(type(9)) \(entries) \(key) \(value) "
                + "__uint(map_flags, 1);"
        ),
        (
            "has key and value sizes instead of types",
            "\(type(24)) __uint(key_size, 4); __uint(value_size, 8); "
                + "__uint(map_flags, 1);"
        ),
        (
            "has max_entries; BPF_MAP_TYPE_TASK_STORAGE grows",
            "\(type(29)) \(entries) __type(key, int); \(value) "
                + "__uint(map_flags, 1);"
        ),
        ("can neither be read nor written", "\(type(1)) \(entries) \(key) \(value) __uint(map_flags, 384);"),
        ("has the type 200", "\(type(200)) \(entries) \(key) \(value)"),
        ("is defined with colour", "\(type(1)) \(entries) \(key) \(value) __uint(colour, 1);"),
    ])
    func mapsThatNoKernelCreates(problem: String, fields: String) throws {
        let findings = try Self.findings(fields)
        #expect(findings.count == 1 && findings.first?.isRefusal == true)
        #expect(findings.first?.problem.hasPrefix("the map it \(problem)") == true, "\(findings)")
        #expect(findings.first?.since == nil)
    }

    @Test func longKeysNeed511() throws {
        let fields = "\(Self.type(1)) \(Self.entries) __uint(key_size, 513); \(Self.value)"
        #expect(try Self.findings(fields, 5, 10).map(\.since) == [KernelVersion(5, 11)])
        #expect(try Self.findings(fields, 5, 11) == [])
        let shorter = "\(Self.type(1)) \(Self.entries) __uint(key_size, 512); \(Self.value)"
        #expect(try Self.findings(shorter, 5, 10) == [])
    }

    @Test(arguments: [(14, 5, 8), (16, 5, 9), (25, 5, 8)])
    func wideEntriesByRelease(type: Int, major: Int, minor: Int) throws {
        let fields = "\(Self.type(type)) \(Self.entries) \(Self.key) \(Self.value)"
        #expect(try Self.findings(fields, major, minor - 1).map(\.since) == [KernelVersion(major, minor)])
        #expect(try Self.findings(fields, major, minor) == [])
    }

    /// libbpf rounds sizes of ring buffers up, but other loaders may not. Administrators can change the limit of
    /// frames.
    @Test(arguments: [
        ("\(type(27)) __uint(max_entries, 1000);", "the loader doesn't round it up, as libbpf 1 does"),
        ("\(type(7)) \(entries) \(key) __type(value, __u64[200]);", "kernel.perf_event_max_stack is less than 200"),
    ])
    func whatDependsOnSomethingElseIsNoRefusal(fields: String, condition: String) throws {
        let findings = try Self.findings(fields)
        #expect(findings.map(\.condition) == [condition])
        #expect(findings.map(\.isRefusal) == [false])
    }

    @Test func insideOfMapsToo() throws {
        let object = try BPFObject(
            "raw_tp/x", "return 0",
            """
            struct inner { \(Self.type(2)) \(Self.entries) __type(key, long); \(Self.value) };
            struct { \(Self.type(13)) \(Self.entries) \(Self.key) typeof(struct inner *) values[]; } it SEC(".maps");
            """)
        #expect(
            object.findings(6, 12).map(\.problem) == [
                "the map inside it has 8-byte keys; BPF_MAP_TYPE_ARRAY requires 4-byte keys"
            ])
    }

    @Test func arenaIsOfAnotherReleaseOnEachMachine() throws {
        let fields = "\(Self.type(33)) __uint(max_entries, 4); __uint(map_flags, 1024);"
        #expect(try Self.findings(fields, 6, 8).map(\.machines) == [nil])
        #expect(try Self.findings(fields, 6, 9).map(\.machines) == [[.aarch64]])
        #expect(try Self.findings(fields, 6, 10) == [])
    }

    @Test func linksOfStructOpsNeed64() throws {
        let object = try BPFObject("raw_tp/x", "return 0", "int it SEC(\".struct_ops.link\") = 1;")
        #expect(object.kinds(6, 3) == ["map-flag -"])
        #expect(object.findings(6, 4) == [])
    }

    @Test func mapsNeedTypes() throws {
        let object = try BPFObject(bytes: BPFSource.bytes("good", version: "v3", "-g0"), name: "bare")
        #expect(object.findings(6, 1).map(\.refusal) == ["BTF is required, but is missing or corrupted"])
    }
}

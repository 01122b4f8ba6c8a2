import TestFixtures
import Testing

/// The headers that kernel programs include, compiled as those are.
@Suite struct KernelHeaderTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// -mcpu=v3 is what 5.10 knows. Nothing warns, and nothing is left that a linker would have to find.
    @Test(arguments: ["CFIC_MACHINE_X86_64", "CFIC_MACHINE_AARCH64"])
    func lookupAndWalkCompileForKernels(machine: String) throws {
        let fixture = try Fixture()
        let object = fixture.directory + "/walk.o"
        // Debian has asm/types.h in a directory of its machine's name.
        let native = try run("clang", "-print-target-triple").split(separator: "-")
        try run(words: [
            "clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-DMACHINE=\(machine)",
            "-I/usr/include/\(native.first ?? "x86_64")-linux-gnu", "-I\(Self.root)/bpf/include",
            "-c", "\(Self.root)/Tests/KernelHeaders/walk.bpf.c", "-o", object,
        ])
        let symbols = try run("readelf", "--wide", "--symbols", object).split(separator: "\n")
        #expect(symbols.contains { $0.hasSuffix(" step") })
        let undefined = symbols.filter { $0.contains(" UND ") && !$0.contains(" NOTYPE  LOCAL ") }
        #expect(undefined == [], "\(undefined)")
    }
}

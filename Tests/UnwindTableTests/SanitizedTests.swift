import CUnwindTable
import Glibc
import func TestFixtures.run
import TestFixtures
import Testing
import UnwindTable

/// The C code of the BPF programs, built with `-fsanitize=address,undefined`.
@Suite struct SanitizedTests {
    /// The project's directory.
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    @Test func stepsByRandomRulesAndPrograms() throws {
        let name = "/tmp/cfic-sanitized-\(getpid())"
        defer { for path in [name, "\(name).txt"] { unlink(path) } }
        let build = """
            clang -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fuse-ld=lld -Wall -Wextra -Werror \
            -I"$0/bpf/include" "$0/Tests/Sanitized/step.c" "$0"/bpf/native/*.c -o \(name)
            """
        try run("sh", "-c", build, Self.root)
        #expect(system("\(name) > \(name).txt") == 0)
        let file = try #require(fopen("\(name).txt", "r"))
        defer { fclose(file) }
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count - 1, file)
        let lines = String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self).split(separator: "\n")
        // All ends occurred except two that random numbers can't reach and those of walks and samples.
        let never: Set = [
            "NO_PROGRESS", "ZERO_RETURN_ADDRESS", "NO_MAPPING", "NO_TABLE", "TOO_DEEP", "NO_PROCESS",
            "NO_USER_REGISTERS", "OTHER_MACHINE", "BAD_FRAME_POINTER", "END_OF_CHAIN",
            "NO_CALL", "KERNEL_THREAD", "TABLE_PENDING", "TABLE_EVICTED", "NO_USER_CODE",
        ]
        let missed = lines.filter { $0.hasSuffix(" 0") }.map { String($0.prefix { $0 != " " }) }
        #expect(Set(missed).isSubset(of: never))
        #expect(lines.count == 1 + Int(CFIC_STEP_COUNT.rawValue))
    }
}

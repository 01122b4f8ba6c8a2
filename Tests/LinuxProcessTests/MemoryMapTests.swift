import Glibc
import TestFixtures
import Testing
@testable import LinuxProcess

/// Parsing of /proc/PID/maps.
@Suite struct MemoryMapTests {
    private func parse(_ text: String) -> [ExecutableMapping] {
        Array(text.utf8).withUnsafeBytes { MemoryMap.parse($0) }
    }

    @Test func onlyExecutableMappingsAreTaken() {
        let found = parse(
            """
            558e4c3f9000-558e4c3fb000 r--p 00000000 fe:00 1048602                    /usr/bin/cat
            558e4c3fb000-558e4c3ff000 r-xp 00002000 fe:00 1048602                    /usr/bin/cat
            558e4c403000-558e4c404000 rw-p 00009000 fe:00 1048602                    /usr/bin/cat
            7f1b7a000000-7f1b7a021000 rwxp 00000000 00:00 0 
            7ffc5d1f2000-7ffc5d213000 rw-p 00000000 00:00 0                          [stack]
            7ffc5d3c6000-7ffc5d3c8000 r-xp 00000000 00:00 0                          [vdso]
            ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]

            """)
        #expect(
            found == [
                ExecutableMapping(
                    start: 0x558e_4c3f_b000, end: 0x558e_4c3f_f000, offset: 0x2000, device: 0xfe << 32,
                    inode: 1_048_602, path: "/usr/bin/cat"),
                ExecutableMapping(
                    start: 0x7f1b_7a00_0000, end: 0x7f1b_7a02_1000, offset: 0, device: 0, inode: 0, path: ""),
                ExecutableMapping(
                    start: 0x7ffc_5d3c_6000, end: 0x7ffc_5d3c_8000, offset: 0, device: 0, inode: 0, path: "[vdso]"),
                ExecutableMapping(
                    start: 0xffff_ffff_ff60_0000, end: 0xffff_ffff_ff60_1000, offset: 0, device: 0, inode: 0,
                    path: "[vsyscall]"),
            ])
        #expect(found.map(\.isFile) == [true, false, false, false])
    }

    @Test(arguments: [
        ("/opt/with spaces/and  two", "/opt/with spaces/and  two", true, false),
        (#"/tmp/new\012line"#, "/tmp/new\nline", true, false),
        (#"/tmp/back\slash\0123"#, "/tmp/back\\slash\n3", true, false),
        ("/tmp/gone (deleted)", "/tmp/gone (deleted)", true, true),
        ("/memfd:code (deleted)", "/memfd:code (deleted)", true, true),
        ("anon_inode:[perf_event]", "anon_inode:[perf_event]", false, false),
        ("", "", false, false),
    ])
    func namesAreReadToTheEndOfTheLine(text: String, name: String, isFile: Bool, isDeleted: Bool) {
        let found = parse("1000-2000 r-xp 00000000 08:01 42                         \(text)\n")
        #expect(found.map(\.path) == [name])
        #expect(found.map(\.isFile) == [isFile] && found.map(\.isDeleted) == [isDeleted])
    }

    @Test func bytesThatAreNoTextAreKeptApart() {
        let line = Array("1000-2000 r-xp 00000000 08:01 42 /tmp/".utf8) + [0xff, 0xfe] + Array("\n".utf8)
        let found = line.withUnsafeBytes { MemoryMap.parse($0) }
        #expect(found.count == 1 && found[0].path.hasPrefix("/tmp/"))
    }

    /// A read may end anywhere in a line, and a file name may look like a line.
    @Test func everyCutOffLineIsNoneOrWhole() {
        let line = "7f0000001000-7f0000002000 r-xp 0000a000 fe:00 1048602 /usr/lib/libc.so.6"
        for length in 0...line.utf8.count {
            let found = parse(String(line.prefix(length)))
            #expect(found.count <= 1)
            for mapping in found {
                #expect(mapping.start == 0x7f00_0000_1000 && mapping.end == 0x7f00_0000_2000)
                #expect("/usr/lib/libc.so.6".hasPrefix(mapping.path))
            }
        }
        #expect(parse(line).map(\.path) == ["/usr/lib/libc.so.6"])
    }

    @Test(arguments: [
        "", "\n\n\n", "-", "1000", "1000-", "1000-2000", "1000-2000 r-xp", "1000-2000 r-xp 0 0:0",
        "-2000 r-xp 0 0:0 1 /x",
        "2000-1000 r-xp 00000000 08:01 42 /backwards", "1000-1000 r-xp 00000000 08:01 42 /empty",
        "1000-2000 r-xp 00000000 0801 42 /x", "g000-h000 r-xp 00000000 08:01 42 /x",
        "1000-111111111111111111111111111 r-xp 00000000 08:01 42 /long", "1000 - 2000 r-xp 00000000 08:01 42 /x",
        "1000-2000 rwx", "1000-2000  r-xp 00000000 08:01 42 /x", "1000-2000 r-xp 00000000 08:01 x /x",
    ])
    func linesThatAreNoMappingsAreLeftOut(text: String) {
        #expect(parse(text) == [])
    }

    @Test func randomBytesAreNoTrouble() {
        var random = SeededGenerator(seed: 7)
        let alphabet = Array("0123456789abcdef-: rxwp/\n\\[]".utf8) + [0, 0xff]
        for _ in 0..<2000 {
            let bytes = (0..<200).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            for mapping in bytes.withUnsafeBytes({ MemoryMap.parse($0) }) { #expect(mapping.start < mapping.end) }
        }
    }

    @Test func ownMemoryHasThisProgramAndTheVDSO() throws {
        let mappings = try MemoryMap(of: getpid()).mappings
        #expect(mappings.contains { $0.isFile } && mappings.contains { $0.path == "[vdso]" })
        #expect(zip(mappings, mappings.dropFirst()).allSatisfy { $0.end <= $1.start })
    }

    @Test func processThatDoesNotExistIsSaidToBeNone() {
        #expect {
            try MemoryMap(of: 0x7fff_fff0)
        } throws: { error in
            guard case ProcessError.noSuchProcess(0x7fff_fff0) = error else { return false }
            return true
        }
    }
}

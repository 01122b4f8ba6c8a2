import Foundation
import Testing

/// `cfic stats` for object files and archives, and `--min-coverage`.
@Suite(.timeLimit(.minutes(30))) struct StatsTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Assembles an object file, and returns its name.
    @discardableResult
    private func object(_ source: String, named name: String) throws -> String {
        try place.write(Array((source + "\n").utf8), to: name + ".s")
        let outcome = try place.shell("/usr/bin/as --64 -o \(name) \(name).s")
        guard outcome.code == 0 else { throw TestFailure("as: \(outcome.diagnostics)") }
        return name
    }

    private func statistics(_ name: String) throws -> [String: Any] {
        let report = try #require(try place.cfic("stats", "--json", name).json() as? [String: Any])
        return try #require((report["files"] as? [[String: Any]])?.first)
    }

    /// f, with 32 bytes, has call frame information in both sections; g, with 32 bytes, has none.
    private static let half = """
        .cfi_sections .eh_frame, .debug_frame
        .text
        f: .cfi_startproc
        .fill 32, 1, 0x90
        .cfi_endproc
        g: .fill 32, 1, 0x90
        """

    @Test func eachAddressOfAnObjectFileCountsOnce() throws {
        let file = try statistics(object(Self.half, named: "half.o"))
        #expect(file["executableBytes"] as? Int == 64)
        #expect(file["coveredBytes"] as? Int == 32)
        #expect(file["loweredBytes"] as? Int == 32)
        #expect(file["uncoveredBytes"] as? Int == 32)
        #expect(file["coverage"] as? Double == 0.5)
        #expect(file["rows"] as? Int == 1)
    }

    @Test func sectionsOfAnObjectFileAreToldApart() throws {
        // All start at address 0. The second has no information; the third has a rule that can't be lowered from byte 4
        // on.
        let file = try statistics(
            object(
                """
                .text
                .cfi_startproc
                .fill 16, 1, 0x90
                .cfi_endproc
                .section .text.bare, "ax", @progbits
                .fill 16, 1, 0x90
                .section .text.bad, "ax", @progbits
                .cfi_startproc
                .fill 4, 1, 0x90
                .cfi_escape 0x3f
                .fill 4, 1, 0x90
                .cfi_endproc
                """, named: "three.o"))
        #expect(file["executableBytes"] as? Int == 40)
        #expect(file["coveredBytes"] as? Int == 24)
        #expect(file["loweredBytes"] as? Int == 20)
        let unsupported = try #require((file["unsupported"] as? [[String: Any]])?.first)
        #expect(place.number(unsupported["start"]) == 4 && place.number(unsupported["limit"]) == 8)
    }

    @Test func framesOfAnObjectFileAreClippedToTheirSection() throws {
        // An FDE of 2^40 bytes at the start of a section of 16.
        let file = try statistics(
            object(
                """
                .section .text.next, "ax", @progbits
                .fill 16, 1, 0x90
                .text
                f: .fill 16, 1, 0x90
                .section .eh_frame, "a", @progbits
                cie: .long 2f - 1f
                1: .long 0
                .byte 1
                .asciz ""
                .uleb128 1
                .sleb128 -8
                .byte 16, 0x0c, 7, 8, 0x90, 1
                .balign 8
                2: .long 4f - 3f
                3: .long . - cie
                .quad f
                .quad 0x10000000000
                .balign 8
                4:
                """, named: "long.o"))
        #expect(file["executableBytes"] as? Int == 32)
        #expect(file["coveredBytes"] as? Int == 16)
        #expect(file["coverage"] as? Double == 0.5)
    }

    // MARK: Archives

    @Test(arguments: ["rc", "rcT"])
    func archivesAreWalked(_ flags: String) throws {
        try object(Self.half, named: "an_object_file_of_a_long_name.o")
        try object(".text\n.cfi_startproc\nnop\n.cfi_endproc", named: "b.o")
        #expect(try place.shell("mkdir d && cp *.o d/ && cd d && ar \(flags) lib.a *.o").code == 0)
        let outcome = try place.cfic("stats", "d/lib.a")
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("d/lib.a(an_object_file_of_a_long_name.o) (x86-64)"))
        #expect(outcome.output.contains("d/lib.a(b.o) (x86-64)"))
        #expect(outcome.output.contains("2 files"))
        #expect(try place.cfic("stats", "d/lib.a", "--min-coverage", "60").code == 1)
        #expect(try place.cfic("stats", "d/lib.a", "--min-coverage", "40").code == 0)
    }

    @Test func aFileThatAThinArchiveNamesTwiceCountsOnce() throws {
        try object(Self.half, named: "a.o")
        #expect(try place.shell("ar rcT lib.a a.o && ar qcT lib.a a.o && [ $(ar t lib.a | wc -l) = 2 ]").code == 0)
        let report = try #require(try place.cfic("stats", "--json", "lib.a").json() as? [String: Any])
        #expect((report["files"] as? [Any])?.count == 1)
    }

    @Test func archiveThatIsCutOffIsAnError() throws {
        try place.write(Array("!<arch>\nnothing".utf8), to: "lib.a")
        let outcome = try place.cfic("stats", "lib.a")
        #expect(outcome.code == 1 && outcome.diagnostics.contains("lib.a: offset 0x8: "))
    }

    // MARK: The minimum

    @Test func nothingToMeasureIsBelowAnyMinimum() throws {
        try object(".text\nnop", named: "bare.o")
        let make = "mkdir empty d a && ld -e 0 -o d/bare bare.o && ar rc a/lib.a bare.o && echo x > empty/x"
        #expect(try place.shell(make).code == 0)
        for name in ["empty", "d", "a", "bare.o", "d/bare"] {
            let outcome = try place.cfic("stats", "--min-coverage", "1", name)
            #expect(outcome.code == 1, "\(name)")
            #expect(!outcome.diagnostics.isEmpty, "\(name)")
        }
        #expect(try place.cfic("stats", "--min-coverage", "1", "d").diagnostics.contains("d/bare: coverage 0 %"))
        #expect(
            try place.cfic("stats", "--min-coverage", "1", "empty").diagnostics.contains(
                "no ELF file or table found below"))
    }

    @Test func aLibraryWithoutCodeIsNotBelowTheMinimum() throws {
        // An object with only data, and a library that is completely covered.
        try object(".data\n.byte 1", named: "data.o")
        #expect(try place.shell("mkdir d && ld -shared -z noseparate-code -o d/data.so data.o").code == 0)
        try place.library("d/good.so")
        let outcome = try place.cfic("stats", "--min-coverage", "100", "d")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
    }
}

extension Workplace {
    /// An address in JSON, which may be a number or hexadecimal text.
    func number(_ value: Any?) -> UInt64? {
        if let text = value as? String { return UInt64(text.dropFirst(text.hasPrefix("0x") ? 2 : 0), radix: 16) }
        return (value as? NSNumber)?.uint64Value
    }
}

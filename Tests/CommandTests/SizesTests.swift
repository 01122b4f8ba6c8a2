import Foundation
import Testing

/// `cfic sizes`.
@Suite(.timeLimit(.minutes(30))) struct SizesTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private struct Report: Decodable, Equatable {
        struct Size: Decodable, Equatable {
            var bytes: Int
            var packedBytes: Int?
            var fdes: Int?
            var fres: Int?
            var unsupportedFunctions: Int?
            var bytesPerFunction: Double?
            var bytesPerRow: Double?
        }

        struct Sizes: Decodable, Equatable {
            var path: String?
            var files: Int?
            var functions: Int
            var rows: Int
            var ehFrame: Size
            var ehFrameHeader: Size
            var debugFrame: Size
            var sframe: Size?
            var sframeV2: Size
            var sframeV3: Size
            var table: Size
        }

        var files: [Sizes]
        var total: Sizes
        var skipped: [String]
        var failures: [String]
    }

    private func report(_ outcome: Outcome, code: Int32 = 0) throws -> Report {
        #expect(outcome.code == code, "\(outcome.diagnostics)")
        return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }

    private func sizes(_ name: String) throws -> Report.Sizes {
        try #require(try report(place.cfic("sizes", "--json", name)).files.first)
    }

    /// The size of a section as readelf has it; nil if there is none.
    private func readelf(_ file: String, _ section: String) throws -> Int? {
        let lines = try place.shell("readelf -SW \(file)").output.split(separator: "\n")
        let words = lines.map { $0.drop { $0 != "]" }.dropFirst().split(separator: " ") }
        return words.first { $0.first == section[...] }.flatMap { Int($0[4], radix: 16) }
    }

    /// Assembles and links a library, with the GNU assembler and linker of a target.
    private func link(_ source: String, to name: String, prefix: String = "/usr/bin/", flags: String = "") throws {
        try place.write(Array((source + "\n").utf8), to: name + ".s")
        let made = try place.shell(
            "\(prefix)as \(flags) -o \(name).o \(name).s && \(prefix)ld -shared --eh-frame-hdr -o \(name) \(name).o")
        guard made.code == 0 else { throw TestFailure(made.diagnostics) }
        for suffix in [".s", ".o"] { unlink("\(place.directory)/\(name)\(suffix)") }
    }

    /// A function of 201 rows, whose frames are easily compressed.
    private static let longFunction: String = {
        let rows = (0..<200).map { ".cfi_def_cfa_offset \(16 + 8 * ($0 % 3))\nnop" }.joined(separator: "\n")
        return ".text\n.cfi_startproc\nnop\n\(rows)\n.cfi_endproc"
    }()

    /// Makes directory d with libraries of 1 to 12 functions, all different.
    private func makeLibraries() throws {
        try #require(mkdir(place.directory + "/d", 0o755) == 0)
        for count in 1...12 {
            let functions = (0..<count).map {
                ".cfi_startproc\nnop\n.cfi_def_cfa_offset \(16 + 8 * $0)\nnop\n.cfi_endproc"
            }
            try link(".text\n" + functions.joined(separator: "\n"), to: "d/lib\(count).so")
        }
    }

    // MARK: What is measured

    @Test func sizesAreThoseOfTheSectionsAndTheTable() throws {
        try place.library(cfi: ".cfi_def_cfa_offset 16")
        let sizes = try sizes("lib.so")
        #expect(sizes.functions == 1 && sizes.path == "lib.so")
        #expect(sizes.ehFrame.bytes == (try readelf("lib.so", ".eh_frame")))
        #expect(sizes.ehFrameHeader.bytes == (try readelf("lib.so", ".eh_frame_hdr")))
        #expect(sizes.debugFrame.bytes == 0 && sizes.debugFrame.packedBytes == nil && sizes.sframe == nil)
        // The table is what `compile` writes, and its rows are those that `stats` counts.
        #expect(try place.cfic("compile", "-o", "table", "lib.so").code == 0)
        #expect(sizes.table.bytes == (try place.bytes(place.directory + "/table").count))
        let statistics = try #require(try place.cfic("stats", "--json", "lib.so").list("files")?.first)
        #expect(sizes.rows == statistics["rows"] as? Int && sizes.rows > 0)
        for size in [sizes.ehFrame, sizes.ehFrameHeader, sizes.debugFrame, sizes.sframeV2, sizes.table] {
            #expect(size.bytesPerFunction == Double(size.bytes))
            #expect(size.bytesPerRow == Double(size.bytes) / Double(sizes.rows))
        }
        #expect(sizes.sframeV2.bytes == 28 + 20 + 2 * 3 && sizes.sframeV3.bytes == 28 + 21 + 2 * 3)
        #expect(sizes.table.unsupportedFunctions == 0)
    }

    @Test func functionsWithoutARuleAreCounted() throws {
        try place.library(cfi: ".cfi_escape 0x3f")
        let sizes = try sizes("lib.so")
        #expect(sizes.table.unsupportedFunctions == 1)
        let notes = try place.cfic("sizes", "lib.so").diagnostics
        #expect(notes.hasPrefix("lib.so: .eh_frame+0x"), "\(notes)")
        #expect(sizes.sframeV2.unsupportedFunctions == 1 && sizes.sframeV2.bytes == 0 && sizes.sframeV2.fdes == 0)
    }

    @Test func withoutSectionHeadersTheTerminatorEndsIt() throws {
        // The linker places the table of exceptions behind it, in the same segment.
        let code = ".text\n.cfi_startproc\nnop\n.cfi_endproc\n.section .gcc_except_table, \"a\"\n.fill 64, 1, 0xff\n"
        try place.write(Array(code.utf8), to: "code.s")
        try place.write(Array(".section .eh_frame, \"a\"\n.long 0\n".utf8), to: "end.s")
        let made = try place.shell(
            """
            for name in code end; do /usr/bin/as -o $name.o $name.s || exit 1; done
            /usr/bin/ld -shared --eh-frame-hdr -o lib.so code.o end.o
            """)
        try #require(made.code == 0, "\(made.diagnostics)")
        let whole = try sizes("lib.so")
        var bytes = try place.bytes(place.directory + "/lib.so")
        // e_shoff; e_shnum and e_shstrndx
        bytes.patch(UInt64(0), at: 0x28)
        bytes.patch(UInt32(0), at: 0x3c)
        try place.write(bytes, to: "bare.so")
        let bare = try sizes("bare.so")
        #expect(bare.ehFrame.bytes == whole.ehFrame.bytes && bare.ehFrameHeader == whole.ehFrameHeader)
    }

    @Test func compressedFramesHaveBothSizes() throws {
        try link(".cfi_sections .debug_frame\n" + Self.longFunction, to: "plain.so")
        #expect(try place.shell("objcopy --compress-debug-sections=zlib plain.so packed.so").code == 0)
        let (plain, packed) = (try sizes("plain.so"), try sizes("packed.so"))
        #expect(plain.debugFrame.bytes == (try readelf("plain.so", ".debug_frame")))
        #expect(plain.debugFrame.packedBytes == nil)
        #expect(packed.debugFrame.bytes == plain.debugFrame.bytes)
        #expect(packed.debugFrame.packedBytes == (try readelf("packed.so", ".debug_frame")))
        // In a sum, what isn't compressed counts as it is.
        let total = try report(place.cfic("sizes", "--json", "plain.so", "packed.so")).total.debugFrame
        #expect(total.bytes == 2 * plain.debugFrame.bytes)
        #expect(total.packedBytes == plain.debugFrame.bytes + (packed.debugFrame.packedBytes ?? 0))
        let text = try place.cfic("sizes", "packed.so").output
        #expect(text.contains("\n.debug_frame, compressed "), "\(text)")
    }

    @Test func framesOfADebugFileCount() throws {
        try link(".cfi_sections .eh_frame, .debug_frame\n" + Self.longFunction, to: "lib.so")
        let own = try sizes("lib.so").debugFrame
        let split = """
            objcopy --only-keep-debug --compress-debug-sections=zlib lib.so lib.debug
            objcopy --strip-debug --add-gnu-debuglink=lib.debug lib.so stripped.so
            """
        #expect(try place.shell(split).code == 0)
        let separate = try sizes("stripped.so").debugFrame
        #expect(own.bytes > 0 && separate.bytes == own.bytes && own.packedBytes == nil)
        #expect(separate.packedBytes == (try readelf("lib.debug", ".debug_frame")))
        let without = try report(place.cfic("sizes", "--json", "--no-debug-files", "stripped.so"))
        #expect(without.total.debugFrame.bytes == 0)
    }

    // MARK: SFrame

    private static let hasSFrame: Bool = {
        let assemblers = ["as", "aarch64-linux-gnu-as"]
        return assemblers.allSatisfy {
            (try? Workplace().shell("/usr/bin/\($0) --help | grep -e --gsframe"))?.code == 0
        }
    }()

    /// Requires that a library's real .sframe has the size and the numbers of entries that are computed.
    private func expectComputed(
        _ name: String, objcopy: String = "/usr/bin/objcopy", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let sizes = try sizes(name)
        try #require(place.shell("\(objcopy) -O binary --only-section=.sframe \(name) section").code == 0)
        let section = try place.bytes(place.directory + "/section")
        func word(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 | Int(section[offset + $1]) << (8 * $1) } }
        let computed = section[2] == 3 ? sizes.sframeV3 : sizes.sframeV2
        #expect(sizes.sframe?.bytes == section.count, sourceLocation: sourceLocation)
        #expect(computed.fdes == word(8), "FDEs", sourceLocation: sourceLocation)
        #expect(computed.fres == word(12), "FREs", sourceLocation: sourceLocation)
        #expect(computed.unsupportedFunctions == 0, sourceLocation: sourceLocation)
        // Version 1 differs from version 2 by three bytes less in each FDE.
        let difference = section[2] == 1 ? 3 * word(8) : 0
        #expect(computed.bytes - difference == section.count, "bytes", sourceLocation: sourceLocation)
    }

    /// A function with these instructions; in which `~` stands for `.cfi_`.
    private func function(_ name: String, _ body: String) -> String {
        "\(name): .cfi_startproc\n\(body.replacing("~", with: ".cfi_"))\n.cfi_endproc"
    }

    @Test(.enabled(if: hasSFrame, "as doesn't write .sframe"))
    func computedSizesAreTheAssemblersOnX86() throws {
        let push = "push %rbp\n~def_cfa_offset 16\n~offset rbp, -16"
        let functions = [
            function("leaf", "ret"),
            function(
                "frame", "\(push)\nmov %rsp, %rbp\n~def_cfa_register rbp\ncall leaf@plt\nleave\n~def_cfa rsp, 8\nret"),
            function("saved", "push %rbx\n~def_cfa_offset 16\n~offset rbx, -16\npop %rbx\n~def_cfa_offset 8\nret"),
            function(
                "early",
                "\(push)\npop %rbp\n~remember_state\n~restore rbp\n~def_cfa_offset 8\nret\n~restore_state\npop %rbp\n"
                    + "~restore rbp\n~def_cfa_offset 8\nret"),
            function("wide", "sub $256, %rsp\n~def_cfa_offset 264\nadd $256, %rsp\n~def_cfa_offset 8\nret"),
            function("wider", "\(push)\nsub $99984, %rsp\n~def_cfa_offset 100000\nret"),
        ]
        // As long as 1, 2 and 4 bytes of start can say, and by one byte too long.
        let long = [255, 256, 65_535, 65_536].map {
            function("long\($0)", "nop\n~def_cfa_offset 16\n.fill \($0 - 1), 1, 0x90")
        }
        let calls = function("calls", (0..<5).map { "call g\($0)@plt" }.joined(separator: "\n"))
        try link(
            ".globl leaf\n.text\n" + (functions + long + [calls]).joined(separator: "\n"), to: "lib.so",
            flags: "--64 --gsframe")
        try expectComputed("lib.so")
    }

    @Test(.enabled(if: hasSFrame, "as doesn't write .sframe"))
    func computedSizesAreTheAssemblersOnAArch64() throws {
        let functions = [
            function("leaf", "ret"),
            function(
                "frame",
                "stp x29, x30, [sp, -32]!\n~def_cfa_offset 32\n~offset 29, -32\n~offset 30, -24\n"
                    + "ldp x29, x30, [sp], 32\n~restore 30\n~restore 29\n~def_cfa_offset 0\nret"),
            function("address", "str x30, [sp, -16]!\n~def_cfa_offset 16\n~offset 30, -16\nnop"),
            function(
                "signed", "hint 25\n~negate_ra_state\nstr x30, [sp, -16]!\n~def_cfa_offset 16\n~offset 30, -16\nnop"),
            function("wide", "sub sp, sp, 4080\n~def_cfa_offset 4080\nnop"),
        ]
        try link(
            ".text\n" + functions.joined(separator: "\n"), to: "lib.so", prefix: "/usr/bin/aarch64-linux-gnu-",
            flags: "--gsframe")
        try expectComputed("lib.so", objcopy: "/usr/bin/aarch64-linux-gnu-objcopy")
    }

    // MARK: Many files

    @Test func theTotalIsTheSum() throws {
        try makeLibraries()
        let report = try report(place.cfic("sizes", "--json", "d"))
        #expect(report.files.map(\.functions).sorted() == Array(1...12))
        #expect(report.total.files == 12 && report.total.functions == 78)
        #expect(report.total.rows == report.files.reduce(0) { $0 + $1.rows })
        for format: (Report.Sizes) -> Report.Size in [
            { $0.ehFrame }, { $0.ehFrameHeader }, { $0.sframeV2 }, { $0.sframeV3 }, { $0.table },
        ] {
            #expect(format(report.total).bytes == report.files.reduce(0) { $0 + format($1).bytes })
            #expect(format(report.total).bytesPerFunction == Double(format(report.total).bytes) / 78)
        }
        #expect(report.total.sframeV2.fdes == 78 && report.total.sframeV2.fres == 156)
    }

    @Test func directoriesAreBriefAndTheLargestFileIsFirst() throws {
        try makeLibraries()
        let text = try place.cfic("sizes", "d").output
        let names = text.split(separator: "\n").compactMap { $0.firstMatch(of: /d\/lib(\d+)\.so/).map { String($0.1) } }
        #expect(names == (3...12).reversed().map(String.init))
        #expect(text.contains("... and 2 more (--json lists all)\n\n12 files, 78 functions, "), "\(text)")
        // Files that are named are all listed.
        let named = try place.shell("cfic sizes d/*.so").output
        #expect(named.matches(of: /d\/lib\d+\.so/).count == 12 && !named.contains("more ("), "\(named)")
    }

    @Test func outputIsTheSameWithAnyNumberOfThreads() throws {
        try makeLibraries()
        try place.write(Array("\u{7f}ELF".utf8), to: "d/broken")
        for json in ["", "--json "] {
            let outcomes = try [1, 2, 5].map { try place.shell("cfic sizes \(json)-j \($0) d") }
            #expect(outcomes[0].code == 1 && outcomes[0].output.contains("lib12.so"))
            for other in outcomes.dropFirst() {
                #expect(other.output == outcomes[0].output && other.diagnostics == outcomes[0].diagnostics)
            }
        }
    }

    // MARK: Files without sizes

    @Test func aFileWithoutCallFrameInformation() throws {
        try #require(mkdir(place.directory + "/d", 0o755) == 0)
        try link(".text\nnop", to: "d/bare.so", flags: "--64")
        let named = try report(place.cfic("sizes", "--json", "d/bare.so"), code: 1)
        #expect(
            named.failures == ["d/bare.so: no call frame information"] && named.files == [] && named.total.files == 0)
        let found = try report(place.cfic("sizes", "--json", "d"))
        #expect(found.skipped == ["d/bare.so: no call frame information"] && found.failures == [])
        #expect(try place.cfic("sizes", "d/bare.so").output == "")
    }

    @Test func aBrokenFileIsNamedAndTheOthersAreMeasured() throws {
        let bytes = try place.bytes(try place.library("good.so"))
        try place.write(Array(bytes.prefix(100)), to: "cut.so")
        let outcome = try place.cfic("sizes", "cut.so", "good.so", "missing")
        #expect(outcome.code == 1)
        #expect(outcome.output.contains("good.so\n") && outcome.output.contains("\n1 file, 1 function, "))
        #expect(outcome.diagnostics.contains("cfic: cut.so: "), "\(outcome.diagnostics)")
        #expect(outcome.diagnostics.contains("cfic: missing: No such file or directory"))
    }
}

import ELF
import TableCompiler
import TableStore
import TestFixtures
import Testing
import UnwindTable

/// Tables of files with code that no call frame information covers.
@Suite(.timeLimit(.minutes(30))) struct InferredTableTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// `stated` has call frame information; `plain`, which is exported, has none. Behind it are `more` bytes of code.
    private func library(_ plain: String, more: Int = 0, named name: String = "lib.so") throws -> String {
        try fixture.library(
            """
            .text
            .globl stated, plain, f_more
            stated: .cfi_startproc
            push %rbx
            .cfi_def_cfa_offset 16
            pop %rbx
            .cfi_def_cfa_offset 8
            ret
            .cfi_endproc
            .balign 32
            .type plain, @function
            plain:
            \(plain)
            .balign 32
            .type f_more, @function
            f_more: .fill \(more), 1, 0x90
            ret
            """, named: name, flags: ["-Wl,--build-id=0xaa01"])
    }

    private static let plain = "push %rbp\nsub $24, %rsp\nadd $24, %rsp\npop %rbp\nret"

    /// The address of `plain`: 32 bytes behind `stated`, with which the code begins.
    private func address(_ path: String) throws -> UInt64 {
        try #require(try ELFImage(path: path).sections().first { $0.name == ".text" }).address + 32
    }

    private func inferred(_ table: TableView, at address: UInt64) -> Bool {
        table.ruleNumber(at: address) != 0 && table.source(at: address) == .inferred
    }

    // With little code and with much: functions are found by symbols only if there is more than start-up code.
    @Test func codeWithoutInformationGetsRules() throws {
        let path = try library(Self.plain, more: 300)
        let (plain, table) = (try address(path), try CompiledImage(path))
        #expect(table.view.rule(at: plain).cfaOffset == 8)
        #expect(table.view.rule(at: plain + 1).cfaOffset == 16)
        #expect(table.view.rule(at: plain + 5).cfaOffset == 40)
        #expect(inferred(table.view, at: plain + 5) && inferred(table.view, at: plain + 40))
        #expect(table.view.source(at: plain - 32) == .ehFrame && table.view.ruleNumber(at: plain - 32) != 0)
        #expect(table.view.header.options.infers)
    }

    @Test func withoutInferenceItGetsNone() throws {
        let path = try library(Self.plain, more: 300)
        let (plain, table) = (try address(path), try CompiledImage(path, options: TableOptions(infers: false)))
        #expect(table.view.ruleNumber(at: plain) == 0 && table.view.sourceRanges.isEmpty)
        #expect(!table.view.header.options.infers)
    }

    /// Whoever controls one file with a build id must not change the table of another one with it.
    @Test(arguments: [0, 300])
    func codeIsPartOfTheKey(more: Int) throws {
        let first = try library(Self.plain, more: more, named: "first.so")
        let second = try library(
            Self.plain.replacing("sub $24", with: "sub $40").replacing("add $24", with: "add $40"), more: more,
            named: "second.so")
        let keys = try [first, second].map { try ImageInput(ELFImage(path: $0), search: nil).contentKey() }
        #expect(keys[0].bytes == keys[1].bytes && keys[0].digest != keys[1].digest)
    }

    @Test func optionsDoNotChangeTheKey() throws {
        let path = try library(Self.plain, more: 300)
        let keys = try [true, false].map {
            try CompiledImage(path, options: TableOptions(infers: $0)).result.source.key
        }
        #expect(keys[0] == keys[1])
    }

    // MARK: Profilers

    /// Of a file that it takes long to analyse.
    @Test func tableThatSomebodyWaitsForIsMadeWithoutInference() throws {
        let path = try library(Self.plain, more: 3 << 20)
        let store = TableStore(directory: fixture.directory + "/cache")
        func infers() throws -> Bool {
            try CompilingSupply(store: store, debugFiles: nil).request(ELFImage(path: path)).withTable {
                $0.header.options.infers
            }
        }
        #expect(try !infers())
        // It was stored, and is replaced by who has time.
        var compiler = TreeCompiler(store: store)
        compiler.debugFiles = nil
        #expect(compiler.run(FileWalk([path])).reports.allSatisfy { "\($0.outcome)".hasPrefix("compiled") })
        #expect(try infers())
        #expect(compiler.run(FileWalk([path])).reports.allSatisfy { "\($0.outcome)".hasPrefix("current") })
    }

    @Test func tableOfAFileWithLittleSuchCodeIsMadeWithInference() throws {
        let path = try library(Self.plain, more: 300)
        let table = CompilingSupply(store: nil, debugFiles: nil).request(try ELFImage(path: path))
        #expect(try table.withTable { $0.header.options.infers })
    }

    // MARK: Hostile files

    /// Changes the fields of all section headers of sections that are loaded: addresses and sizes at these offsets.
    private func withSections(_ path: String, _ change: (inout [UInt8], Int) -> Void) throws -> ELFImage {
        var bytes = try contents(path)
        func number<Number: FixedWidthInteger>(_ type: Number.Type, _ offset: Int) -> Int {
            bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: offset, as: type)) }
        }
        let (table, count) = (number(UInt64.self, 0x28), number(UInt16.self, 0x3c))
        for header in stride(from: table, to: table + 64 * count, by: 64)
        where number(UInt64.self, header + 8) & 2 != 0 { change(&bytes, header) }
        return try ELFImage(bytes: bytes, name: "hostile")
    }

    private func store(_ number: UInt64, _ bytes: inout [UInt8], _ offset: Int) {
        withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
    }

    @Test func sectionAtTheEndOfTheAddressSpaceIsNoCode() throws {
        let path = try library(Self.plain, more: 300)
        var number = 0
        // Each of them alone.
        for moved in 0..<12 {
            number = 0
            let image = try withSections(path) { bytes, header in
                if number == moved { store(.max - 4, &bytes, header + 16) }
                number += 1
            }
            // Any table, or an error, but no crash.
            _ = try? CompiledImage(image)
        }
        #expect(number >= 5)
    }

    /// All sections together would have many times the file's size.
    @Test func overlappingSectionsAreNotAnalysed() throws {
        let path = try library(Self.plain, more: 300)
        let size = UInt64(try contents(path).count)
        #expect(try !CompiledImage(path).view.sourceRanges.isEmpty)
        let image = try withSections(path) { bytes, header in
            // Not those that say where call frame information and names are.
            let isData = bytes[header + 4] == 11 || bytes[header + 4] == 3 || bytes[header + 4] == 7
            if isData {
                store(0, &bytes, header + 24)
                store(size, &bytes, header + 32)
            }
        }
        #expect(try CompiledImage(image).view.sourceRanges.isEmpty)
    }

    // MARK: Linkage tables

    /// lld gives them no call frame information.
    @Test(arguments: [Fixture.Target.x86_64, .aarch64])
    func linkageTableGetsRules(target: Fixture.Target) throws {
        let isAArch64 = target == .aarch64
        let source = """
            .text
            .globl f
            f: .cfi_startproc
            \(isAArch64 ? "b" : "jmp") elsewhere\(isAArch64 ? "" : "@plt")
            .cfi_endproc
            """
        let path = try fixture.library(source, target)
        let plt = try #require(try ELFImage(path: path).sections().first { $0.name == ".plt" })
        let table = try CompiledImage(path).view
        #expect(inferred(table, at: plt.address))
        #expect(table.rule(at: plt.address).cfaOffset == (isAArch64 ? 0 : 16))
        // Behind the first instruction: it pushes 8 or 16 bytes.
        #expect(table.rule(at: plt.address + (isAArch64 ? 4 : 6)).cfaOffset == (isAArch64 ? 16 : 24))
    }
}

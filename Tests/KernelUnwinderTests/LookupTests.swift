import CUnwindTable
import ELF
import Foundation
@testable import KernelUnwinder
import TestFixtures
import Testing
import UnwindTable

/// Lookups by the BPF programs in the kernel's copy of a table agree with the table.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .timeLimit(.minutes(30)))
struct LookupTests {
    private static let process: Int32 = .max
    private static let bias: UInt64 = 0x7f12_3456_7000

    private func expectSame(_ table: TableView, bias: UInt64 = Self.bias, random: Int = 100_000) throws {
        let lookups = try KernelLookups { $0.lookupMachine = table.machine }
        try lookups.unwinder.map(table, at: bias, in: Self.process)
        try lookups.requireSame(table, at: table.edges, bias: bias, in: Self.process)
        try lookups.requireSame(table, at: table.addresses(random), bias: bias, in: Self.process)
    }

    // MARK: Real tables

    /// The C library, an executable, and the largest library, which may have more than 5,461 rules (64 KiB).
    static let files: [String] = {
        let directories = ["/lib", "/usr/lib", "/usr/lib/llvm-14/lib"].flatMap { ["\($0)/x86_64-linux-gnu", $0] }
        func first(_ prefix: String) -> String? {
            directories.lazy.compactMap { directory in
                let names = (try? FileManager.default.contentsOfDirectory(atPath: directory))?.sorted() ?? []
                return names.first { $0.hasPrefix(prefix) && $0.contains(".so") }.map { "\(directory)/\($0)" }
            }.first
        }
        return ([first("libc.so.6"), "/bin/bash", first("libLLVM"), first("libcrypto.so")] as [String?])
            .compactMap { $0 }.filter { access($0, R_OK) == 0 }
    }()

    @Test(arguments: files)
    func realTableIsLookedUpAsInItsFile(path: String) throws {
        let image = try ELFImage(path: path)
        let host = try KernelUnwinder.hostMachine
        try #require(image.machine.rawValue == host.rawValue)
        let compiled = try CompiledImage(image)
        try expectSame(compiled.view)
    }

    // MARK: Made tables

    @Test func pagesOfAllKinds() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let fixture = try Fixture()
        let source = String(decoding: try contents(root + "/testdata/x86_64/many-rows.s"), as: UTF8.self)
        let compiled = try CompiledImage(try fixture.library(source))
        var kinds: Set<UInt32> = []
        compiled.view.forEachPage { kinds.insert($0.kind.rawValue) }
        // All large tables have dense pages.
        #expect(kinds.isSuperset(of: [CFIC_PAGE_UNIFORM, CFIC_PAGE_SPARSE, CFIC_PAGE_QUARTERS].map(\.rawValue)))
        try expectSame(compiled.view)
    }

    /// Of whichever machine this is; the other one's lookups run here, too.
    @Test(arguments: [TableMachine.x86_64, .aarch64])
    func templatesOfBothMachines(machine: TableMachine) throws {
        let table = try MadeTable(
            (0..<3000).map { number in
                MadeTable.Function(
                    0x40_0000 + number * 0x50, length: 0x50,
                    [.init(4, 32), .init(8, 48), .init(0x20 + Int(number % 5) * 4, 16 * Int(number % 7 + 4))])
            }, machine: machine)
        #expect(table.view.templates.count > 10)
        try expectSame(table.view)
    }

    @Test(arguments: [255, 256, 12_000, 65_535])
    func tableWithManyRules(count: Int) throws {
        let function = MadeTable.Function(0x40_0000, length: UInt64(count * 4), every: 4, count: count) { 8 + 8 * $0 }
        let table = try MadeTable([function])
        // One more for rule 0, "no information".
        #expect(table.view.rules.count == count + 1)
        try expectSame(table.view, random: 20_000)
    }

    @Test func rangesThatAreFarApart() throws {
        let starts: [UInt64] = [0x1_0000, 0x9_0000, 0x4000_0000, 0x7fff_ffff_0000, 0xffff_8000_0000_0000]
        let table = try MadeTable(
            starts.map { start in
                MadeTable.Function(start, length: 0x300, [.init(0, Int(start >> 13 & 0xff8)), .init(0x80, 160)])
            })
        #expect(table.view.ranges.count == starts.count)
        try expectSame(table.view, bias: 0)
        // Between ranges nothing is mapped.
        let lookups = try KernelLookups()
        try lookups.unwinder.map(table.view, at: 0x1000, in: Self.process)
        let found = try lookups.rules(at: [0x8_0000, 0x10_0000, 0x5000_0000, 0x1000, 0x2_1000], in: Self.process)
        #expect(found.map(\.step.rawValue) == Array(repeating: CFIC_STEP_NO_MAPPING.rawValue, count: 5))
    }

    /// With 64 GiB or more of code in one range, the directory doesn't fit an element.
    @Test func directoryOfMorePagesThanAnElementHasWords() throws {
        let count = UInt64(CFIC_ELEMENT_WORDS)
        // Pages with rows at both ends and around the end of an element. Pages in between have one rule.
        var functions: [MadeTable.Function] = []
        for pages in [0..<200, count - 200..<count + 200] {
            if let last = functions.last {
                let end = last.start + last.length
                functions.append(MadeTable.Function(end, length: pages.lowerBound << 16 - end))
            }
            functions += pages.map { number in
                MadeTable.Function(
                    number << 16, length: 1 << 16, [.init(0, 16), .init(0x8000, 24 + Int(number) % 150 * 8)])
            }
        }
        let table = try MadeTable(functions)
        #expect(table.view.ranges.count == 1 && table.view.directory.count == Int(count) + 200)
        try expectSame(table.view)
    }

    /// A lookup checks once that the most items a block can have are in the element, whatever follows the record.
    @Test(arguments: [0, 1, 63, 64, 65])
    func recordNearTheEndOfAnElement(words: Int) throws {
        let table = try MadeTable([.init(0x1000, length: 0x2000, every: 16, count: 500) { 8 + 8 * ($0 * $0 % 40) }])
        let lookups = try KernelLookups()
        let memory = lookups.unwinder.memory
        // All of the element is taken, except room for the record and a few words at its end.
        let rest = try memory.allocateRest(minimum: Int(CFIC_ELEMENT_WORDS) / 2)
        try #require(rest.end % CFIC_ELEMENT_WORDS == 0)
        let free = table.view.pages.count / 4 + words
        memory.freeUnused(Span(place: rest.end - UInt32(free), count: free))
        try lookups.unwinder.map(table.view, at: Self.bias, in: Self.process)
        try lookups.requireSame(table.view, at: table.view.edges, bias: Self.bias, in: Self.process)
    }

    @Test func oneRuleForAWholePage() throws {
        let table = try MadeTable([.init(0x10_0000, length: 5 << 16, [.init(0, 4096)])])
        #expect(table.view.pages.isEmpty)
        try expectSame(table.view, random: 1000)
    }

    @Test func severalTablesDoNotDisturbEachOther() throws {
        let lookups = try KernelLookups()
        let tables = try (0..<20).map { number in
            try MadeTable(
                [.init(0x1000, length: 0x20000, every: 100, count: 500) { (number + $0 + 1) * 8 }],
                key: .buildID([UInt8(number)]))
        }
        for (number, table) in tables.enumerated() {
            try lookups.unwinder.map(table.view, at: UInt64(number) << 32, in: Int32(1_000_000 + number))
        }
        for (number, table) in tables.enumerated() {
            try lookups.requireSame(
                table.view, at: table.view.edges, bias: UInt64(number) << 32, in: Int32(1_000_000 + number))
        }
    }

    // MARK: Rejected tables

    @Test func tableOfAnotherMachineIsRefused() throws {
        let other: TableMachine = try KernelUnwinder.hostMachine == .x86_64 ? .aarch64 : .x86_64
        let table = try MadeTable([.init(0x1000, length: 0x100)], machine: other)
        let unwinder = try KernelUnwinder()
        #expect {
            try unwinder.addTable(table.view)
        } throws: { error in
            guard case KernelError.otherMachine = error else { return false }
            return true
        }
        #expect(unwinder.memoryUse.tables == 0)
    }

    @Test func tableIsLoadedOnce() throws {
        let table = try MadeTable([.init(0x1000, length: 0x100)])
        let unwinder = try KernelUnwinder()
        #expect(try unwinder.addTable(table.view))
        let used = unwinder.memoryUse.used
        #expect(try !unwinder.addTable(table.view))
        #expect(unwinder.memoryUse.used == used && unwinder.memoryUse.tables == 1)
    }

    /// Tables that fit are accepted, before and after one that doesn't.
    @Test func tableBeyondTheBudgetIsRefusedAndOthersAreTaken() throws {
        let lookups = try KernelLookups { $0.tableBudget = 4 << 20 }
        // A record of 20 KiB for each page: 8 MB.
        let large = try MadeTable(
            (0..<400).map { page in
                .init(UInt64(page) << 16, length: 1 << 16, every: 6, count: 10_000) { ($0 % 250 + page + 1) * 8 }
            }, key: .buildID([9]))
        let small = try MadeTable([.init(0x1000, length: 0x100, [.init(0, 16), .init(5, 32)])], key: .buildID([1]))
        let before = lookups.unwinder.memoryUse
        for _ in 0..<3 {
            #expect {
                try lookups.unwinder.addTable(large.view)
            } throws: { error in
                guard case KernelError.overBudget(4_194_304) = error else { return false }
                return true
            }
            #expect(lookups.unwinder.memoryUse.used == before.used)
        }
        try lookups.unwinder.map(small.view, at: Self.bias, in: Self.process)
        try lookups.requireSame(small.view, at: small.view.edges, bias: Self.bias, in: Self.process)
        #expect(lookups.unwinder.memoryUse.mapped == 4 << 20)
    }
}

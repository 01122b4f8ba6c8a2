import TestFixtures
import Testing

@testable import GoFunctionTable

@Suite struct FunctionTests {
    private let functions: [GoTableWriter.Function] = [
        .init(start: 0x401000, name: "main.main", depths: [(0, 4), (24, 0x20), (0, 0x1c)]),
        .init(start: 0x401040, name: "runtime.goexit", depths: [(0, 0x20)], flags: 1),
        .init(start: 0x401060, name: "runtime.gogo", depths: nil, flags: 2),
    ]

    private func read<Result>(
        _ bytes: [UInt8], quantum: UInt64 = 1, text: UInt64? = nil,
        _ body: (GoFunctionTable) throws -> Result
    ) throws -> Result {
        try bytes.withUnsafeBytes { try body(GoFunctionTable($0, quantum: quantum, text: text)) }
    }

    /// The addresses, depths and marks of all functions.
    private func contents(_ table: GoFunctionTable) throws -> [String] {
        try (0..<table.count).map { index in
            let function = try table.function(index)
            var text =
                "\(String(function.addresses.lowerBound, radix: 16))-\(String(function.addresses.upperBound, radix: 16))"
            var depths = StackDepths(of: function, in: table)
            while let run = try depths?.next() { text += " \(run.depth)*\(run.addresses.count)" }
            return text + (table.isOutermost(function) ? " outermost" : "")
                + (table.switchesStacks(function) ? " switches" : "")
        }
    }

    @Test(arguments: GoTableWriter.Layout.allCases)
    func eachLayoutIsRead(layout: GoTableWriter.Layout) throws {
        let writer = GoTableWriter(layout: layout)
        let found = try read(writer.section(functions).bytes) { try contents($0) }
        #expect(
            found == ["401000-401040 0*4 24*32 0*28", "401040-401060 0*32 outermost", "401060-402000 switches"])
    }

    @Test func unitsOfAArch64AreInstructions() throws {
        let writer = GoTableWriter(machine: .aarch64)
        let found = try read(writer.section([functions[0]]).bytes, quantum: 4) { try contents($0) }
        #expect(found == ["401000-402000 0*16 24*128 0*112"])
    }

    /// By their marks alone, and by their names alone.
    @Test func endsOfStacks() throws {
        func found(_ name: String, _ flags: UInt8) throws -> [String] {
            let function = GoTableWriter.Function(start: 0x401000, name: name, depths: [(0, 8)], flags: flags)
            return try read(GoTableWriter().section([function]).bytes) { try contents($0) }
        }
        #expect(try found("main.x", 1) == ["401000-402000 0*8 outermost"])
        #expect(try found("runtime.mcall", 0) == ["401000-402000 0*8 outermost"])
        // What the signal interrupted follows the handler.
        #expect(try found("runtime.sigtramp", 1) == ["401000-402000 0*8"])
        #expect(try found("runtime.sigreturn", 0) == ["401000-402000 0*8 switches"])
        #expect(try found("runtime.goexit2", 0) == ["401000-402000 0*8"])
    }

    @Test func startOfTheCodeMayComeFromOutside() throws {
        let bytes = GoTableWriter(statesText: false).section(functions).bytes
        #expect(throws: GoTableError(offset: 24, problem: "nothing tells where the code begins")) {
            try read(bytes) { _ in }
        }
        try read(bytes, text: 0x500000) { table throws in
            #expect(!table.statesText)
            #expect(try table.function(0).addresses.lowerBound == 0x500000)
            #expect(try !table.hasEntryPoint(0x500000))
        }
        let entry = GoTableWriter.Function(start: 0x401000, name: "_rt0_amd64_linux", depths: [(0, 8)])
        try read(GoTableWriter(statesText: false).section([entry]).bytes, text: 0x500000) { table throws in
            #expect(try table.hasEntryPoint(0x500000) && !table.hasEntryPoint(0x500001))
        }
    }

    // MARK: Defects

    private func expect(
        _ problem: String, at offset: Int? = nil, location: SourceLocation = #_sourceLocation,
        _ change: (inout GoTableWriter.Section) -> Void
    ) {
        for layout in GoTableWriter.Layout.allCases {
            var section = GoTableWriter(layout: layout).section(functions)
            change(&section)
            let error = #expect(throws: GoTableError.self, sourceLocation: location) {
                _ = try read(section.bytes) { try contents($0) }
            }
            #expect(error?.problem == problem && (offset ?? error?.offset) == error?.offset, sourceLocation: location)
        }
    }

    @Test func headsThatAreWrong() {
        expect("the version of the table is not known", at: 0) { $0.bytes[0] = 0 }
        expect("the table is not one of this machine", at: 4) { $0.bytes[4] = 1 }
        expect("the table is not one of this machine", at: 4) { $0.bytes[6] = 4 }
        expect("the table is not one of this machine", at: 4) { $0.bytes[7] = 4 }
        expect("there are more functions than the section has room for", at: 8) { $0.store(UInt64.max, at: 8) }
        expect("there are more functions than the section has room for", at: 8) {
            $0.store(UInt64($0.bytes.count), at: 8)
        }
        expect("the section ends before") { $0.bytes.removeLast($0.bytes.count - 12) }
    }

    @Test func functionsThatAreWrong() {
        expect("functions' addresses do not increase") { section in
            // The first one's address becomes the highest.
            section.bytes[section.functions + 2] = 0xff
        }
        expect("function begins elsewhere than the table says") { section in
            let isRelative = section.bytes[0] & 0xf < 2
            section.store(section.bytes[section.functions] + 1, at: section.functions)
            _ = isRelative
        }
        expect("offset is beyond the section") { section in
            let isRelative = section.bytes[0] & 0xf < 2
            section.store(UInt32.max, at: section.functions + (isRelative ? 4 : 8))
        }
    }

    /// The first function's depths.
    private func depths(_ bytes: [UInt8]) throws -> [StackDepths.Run] {
        var section = GoTableWriter().section([functions[0]])
        section.bytes.replaceSubrange(section.depths + 1..<section.depths + 1 + bytes.count, with: bytes)
        return try read(section.bytes) { table in
            var depths = try #require(StackDepths(of: try table.function(0), in: table)), runs: [StackDepths.Run] = []
            while let run = try depths.next() { runs.append(run) }
            return runs
        }
    }

    @Test func depthsThatAreWrong() throws {
        #expect(throws: GoTableError.self) { try depths([0x80, 0x80, 0x80, 0x80, 0x80]) }
        #expect(throws: GoTableError.self) { try depths([0xff, 0xff, 0xff, 0xff, 0x7f]) }
        // More than a stack.
        #expect(throws: GoTableError.self) { try depths([0xfe, 0xff, 0xff, 0xff, 0x0f, 1]) }
        #expect(throws: GoTableError.self) { try depths([2, 0]) }
        // Below 0: nothing more is said.
        #expect(try depths([2, 4, 1, 4, 4, 4]).map(\.depth) == [0])
        // Beyond the function's end.
        #expect(try depths([2, 0xff, 0x7f, 4, 4]).map(\.addresses) == [0x401000..<0x402000])
    }

    /// A section that is cut off in front of a function's last field is an error; nothing is read behind its end.
    @Test(arguments: GoTableWriter.Layout.allCases)
    func cutOffSectionsAreErrors(layout: GoTableWriter.Layout) throws {
        let whole = GoTableWriter(layout: layout).section(functions).bytes
        let expected = try read(whole) { try contents($0) }
        for count in 0..<whole.count {
            let cut = GuardedBytes(Array(whole[..<count]))
            let found = try? contents(try GoFunctionTable(cut.bytes, quantum: 1, text: nil))
            // What ends a record isn't read.
            #expect(found == nil || found == expected && count > whole.count - 24, "\(count)")
        }
    }
}

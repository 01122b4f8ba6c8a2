import Inference
import TestFixtures
import Testing

/// Rows of procedure linkage tables of x86-64, in the shapes that linkers give them.
@Suite struct LinkageTableTests {
    /// A part of a table, which starts at 0x1000.
    private enum Piece {
        case bytes([UInt8])
        /// An opcode, and the distance to an address.
        case to([UInt8], UInt64)

        static let landing = Piece.bytes([0xf3, 0x0f, 0x1e, 0xfa])  // endbr64
        static func push(_ number: UInt8) -> Piece { .bytes([0x68, number, 0, 0, 0]) }
        static func push(slot: UInt64) -> Piece { .to([0xff, 0x35], slot) }
        static func jump(slot: UInt64) -> Piece { .to([0xff, 0x25], slot) }
        static func boundJump(slot: UInt64) -> Piece { .to([0xf2, 0xff, 0x25], slot) }
        static func jump(to address: UInt64) -> Piece { .to([0xe9], address) }
        static func boundJump(to address: UInt64) -> Piece { .to([0xf2, 0xe9], address) }
        static let pushR11 = Piece.bytes([0x41, 0x53])
        static func move(_ number: UInt8) -> Piece { .bytes([0x41, 0xbb, number, 0, 0, 0]) }  // mov $number, %r11d
        static func traps(_ count: Int) -> Piece { .bytes([UInt8](repeating: 0xcc, count: count)) }
    }

    private static let start: UInt64 = 0x1000
    private static let name: UInt64 = 0x3008
    private static let resolver: UInt64 = 0x3010
    /// push name; jmp *resolver; nopl 0(%rax)
    private static let header: [Piece] = [.push(slot: name), .jump(slot: resolver), .bytes([0x0f, 0x1f, 0x40, 0])]
    private static func lazyStub(_ number: UInt8) -> [Piece] {
        [.jump(slot: 0x3018 + UInt64(number) * 8), .push(number), .jump(to: start)]
    }

    private static func assembled(_ pieces: [Piece]) -> [UInt8] {
        var bytes: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .bytes(let more): bytes += more
            case .to(let opcode, let target):
                bytes += opcode
                let distance = UInt32(truncatingIfNeeded: target &- start &- UInt64(bytes.count + 4))
                bytes += withUnsafeBytes(of: distance.littleEndian, Array.init)
            }
        }
        return bytes
    }

    /// `OFFSET: DEPTH`, or `none`.
    private func rows(_ pieces: [Piece]) -> [String] {
        let bytes = Self.assembled(pieces)
        return bytes.withUnsafeBytes { LinkageTable.rows($0, at: Self.start, isAArch64: false) }
            .map { row in
                #expect(!row.isInLinkRegister)
                return "\(row.address - Self.start): \(row.depth.map { "\($0)" } ?? "none")"
            }
    }

    @Test func lazyTable() {
        #expect(
            rows(Self.header + Self.lazyStub(0) + Self.lazyStub(1)) == [
                "0: 16", "6: 24", "12: none", "16: 8", "27: 16", "32: 8", "43: 16", "48: none",
            ])
    }

    @Test func paddingOfGold() {
        let header = [.push(slot: Self.name), .jump(slot: Self.resolver), Piece.bytes([0x90, 0x90, 0x90, 0x90])]
        #expect(rows(header + Self.lazyStub(0)) == ["0: 16", "6: 24", "12: none", "16: 8", "27: 16", "32: none"])
    }

    @Test func shortStubs() {
        // mold's: jmp *slot; int3; int3. bfd's: jmp *slot; xchg %ax, %ax
        #expect(
            rows([
                .jump(slot: 0x3018), .traps(2), .jump(slot: 0x3020), .bytes([0x66, 0x90]), .boundJump(slot: 0x3028),
                .bytes([0x90]),
            ]) == ["0: 8", "6: none", "8: 8", "14: none", "16: 8", "23: none"])
    }

    @Test(arguments: [
        // nopw 0(%rax,%rax); with bnd: nopl 0(%rax,%rax); gold: nopl (%rax,%rax); nop; nop; mold: int3 …
        [0x66, 0x0f, 0x1f, 0x44, 0, 0], [0x0f, 0x1f, 0x44, 0, 0], [0x0f, 0x1f, 0x04, 0, 0x90, 0x90],
        [0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc],
    ])
    func secondTable(padding: [UInt8]) {
        func stub(_ slot: UInt64) -> [Piece] {
            [.landing, padding.count == 5 ? .boundJump(slot: slot) : .jump(slot: slot), .bytes(padding)]
        }
        let end = 16 - padding.count
        #expect(
            rows(stub(0x3018) + stub(0x3020)) == ["0: 8", "\(end): none", "16: 8", "\(16 + end): none"])
    }

    @Test func firstTableForBranchTracking() {
        #expect(
            rows(Self.header + [.landing, .push(0), .jump(to: Self.start), .bytes([0x66, 0x90])]) == [
                "0: 16", "6: 24", "12: none", "16: 8", "25: 16", "30: none",
            ])
        // Before binutils 2.40 jumps had the prefix for MPX.
        let header = [.push(slot: Self.name), .boundJump(slot: Self.resolver), Piece.bytes([0x0f, 0x1f, 0])]
        #expect(
            rows(header + [.landing, .push(0), .boundJump(to: Self.start), .bytes([0x90])]) == [
                "0: 16", "6: 24", "13: none", "16: 8", "25: 16", "31: none",
            ])
    }

    @Test func firstTableForMPX() {
        let header = [.push(slot: Self.name), .boundJump(slot: Self.resolver), Piece.bytes([0x0f, 0x1f, 0])]
        #expect(
            rows(header + [.push(0), .boundJump(to: Self.start), .bytes([0x0f, 0x1f, 0x44, 0, 0]), .push(1)]) == [
                "0: 16", "6: 24", "13: none", "16: 8", "21: 16", "27: none",
            ])
    }

    /// Its stubs pass the number in r11, and don't push it.
    @Test func tableOfMold() {
        let header = [.landing, .pushR11, .push(slot: Self.name), .jump(slot: Self.resolver), Piece.traps(14)]
        #expect(
            rows(
                header + [.landing, .move(0), .jump(slot: 0x3018), .move(1), .jump(slot: 0x3020), .traps(4)]
                    + [.move(2), .jump(slot: 0x3028), .traps(4)]) == [
                    "0: 8", "6: 16", "12: 24", "18: none", "32: 8", "60: none", "64: 8", "76: none",
                ])
        // Without a stub nothing shows how the first entry is called.
        #expect(rows(header) == [])
        #expect(rows(header + Self.lazyStub(0)) == ["32: 8", "43: 16", "48: none"])
    }

    /// What is at the end of bfd's and gold's tables. gold's looks like the first entry, but a call leads to it.
    @Test func descriptors() {
        let stubs = Self.header + Self.lazyStub(0)
        let rows = ["0: 16", "6: 24", "12: none", "16: 8", "27: 16"]
        #expect(
            self.rows(stubs + [.landing, .push(slot: Self.name), .jump(slot: 0x2fe0)])
                == rows + ["32: 8", "42: 16", "48: none"])
        #expect(
            self.rows(stubs + [.push(slot: Self.name), .jump(slot: 0x2fe0), .bytes([0x0f, 0x1f, 0x40, 0])])
                == rows + ["32: 8", "38: 16", "44: none"])
        // It pushes what the first entry pushes, and goes elsewhere.
        #expect(
            self.rows(stubs + [.landing, .push(slot: 0x3000), .jump(slot: 0x2fe0)]) == rows + ["32: none"])
        #expect(
            self.rows(stubs + [.landing, .push(slot: Self.name), .jump(slot: Self.resolver)]) == rows + ["32: none"])
        #expect(self.rows([.jump(slot: 0x3018), .bytes([0x66, 0x90])] + Self.header) == ["0: 8", "6: none"])
    }

    /// bfd makes it even if .plt.got has all stubs.
    @Test func firstEntryAlone() {
        #expect(rows(Self.header) == ["0: 16", "6: 24", "12: none"])
        #expect(
            rows(Self.header + [.landing, .push(slot: Self.name), .jump(slot: 0x2fe0)]) == [
                "0: 16", "6: 24", "12: none", "16: 8", "26: 16", "32: none",
            ])
    }

    @Test func firstEntryNeedsAStubThatJumpsToIt() {
        #expect(rows(Self.header + [.bytes([0x0f, 0x0b]), .traps(14)]) == [])
        let elsewhere: [Piece] = [.jump(slot: 0x3018), .push(0), .jump(to: 0x1010)]
        #expect(rows(Self.header + elsewhere) == ["16: 8", "27: 16", "32: none"])
        #expect(rows(Self.header + [.jump(slot: 0x3018), .bytes([0x66, 0x90])]) == ["16: 8", "22: none"])
        // The resolver's slot is behind the name's.
        let other = [.push(slot: Self.name), .jump(slot: 0x3020), Piece.bytes([0x0f, 0x1f, 0x40, 0])]
        #expect(rows(other + Self.lazyStub(0)) == ["16: 8", "27: 16", "32: none"])
    }

    /// Static executables have stubs without a first entry.
    @Test func stubsAlone() {
        #expect(rows(Self.lazyStub(0) + Self.lazyStub(1)) == ["0: 8", "11: 16", "16: 8", "27: 16", "32: none"])
    }

    @Test func unknownEntriesGetNoRule() {
        let unknown = Piece.bytes([0x4c, 0x8b, 0x1d, 0, 0, 0, 0, 0xff, 0xe3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc])
        #expect(
            rows([unknown] + Self.lazyStub(0) + [unknown] + Self.lazyStub(1)) == [
                "16: 8", "27: 16", "32: none", "48: 8", "59: 16", "64: none",
            ])
        #expect(rows([unknown, unknown]) == [])
        // A jump in the middle of one is no stub.
        let subtraction = Piece.bytes([0x48, 0x83, 0xec, 0x08, 0x66, 0x90, 0x66, 0x90])
        #expect(rows([subtraction, .jump(slot: 0x3018), .traps(2)]) == [])
        // Nor is one that isn't at a multiple of 8.
        #expect(rows([.jump(slot: 0x3018), .bytes([0x90]), .jump(slot: 0x3020), .traps(3)]) == ["0: 8", "6: none"])
    }

    /// lld's -z retpolineplt: nothing of it has a rule.
    @Test func tableAgainstSpeculationGetsNoRule() {
        let header: [Piece] = [
            .push(slot: Self.name), .to([0x4c, 0x8b, 0x1d], Self.resolver), .to([0xe8], 0x1020),
            .bytes([0xf3, 0x90, 0x0f, 0xae, 0xe8, 0xeb, 0xf9]), .traps(7), .bytes([0x4c, 0x89, 0x1c, 0x24, 0xc3]),
            .traps(11),
        ]
        #expect(
            rows(
                header + [
                    .to([0x4c, 0x8b, 0x1d], 0x3018), .to([0xe8], 0x1020), .jump(to: 0x1012), .push(0),
                    .jump(to: Self.start), .traps(5),
                ]) == [])
    }

    @Test func cutOffTables() {
        let bytes = Self.assembled(
            Self.header + Self.lazyStub(0) + [.landing, .push(slot: Self.name), .jump(slot: 0x2fe0)])
        let whole = bytes.withUnsafeBytes { LinkageTable.rows($0, at: Self.start, isAArch64: false) }
        for count in 0..<bytes.count {
            let rows = bytes[..<count].withUnsafeBytes { LinkageTable.rows($0, at: Self.start, isAArch64: false) }
            #expect(rows.allSatisfy { $0.depth == nil || whole.contains($0) }, "\(count) bytes")
            #expect((rows.last?.address ?? 0) <= Self.start + UInt64(count), "\(count) bytes")
            #expect(rows.last.map { $0.depth == nil } ?? true, "\(count) bytes")
        }
    }

    /// Tables with bytes changed at random: rows stay in order, within the table, and end.
    @Test(arguments: [false, true]) func changedTables(isAArch64: Bool) {
        let words: [UInt32] = [
            0xa9bf_7bf0, 0x9000_0010, 0xf940_0211, 0x9100_0210, 0xd61f_0220, 0xd503_201f, 0xd503_201f, 0xd503_201f,
            0x9000_0010, 0xf940_0211, 0x9100_0210, 0xd61f_0220, 0xa9bf_0fe2, 0x9000_0002, 0x9000_0003, 0xf940_0042,
            0x9100_0063, 0xd61f_0040,
        ]
        let original =
            isAArch64
            ? words.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
            : Self.assembled(Self.header + Self.lazyStub(0) + Self.lazyStub(1))
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let rows = bytes.withUnsafeBytes { LinkageTable.rows($0, at: UInt64.max - 16, isAArch64: isAArch64) }
            let offsets = rows.map { $0.address &- (UInt64.max - 16) }
            let isSound =
                zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 } && offsets.allSatisfy { $0 <= bytes.count }
                && rows.last.map { $0.depth == nil } ?? true && rows.first.map { $0.depth != nil } ?? true
            #expect(isSound, "\(bytes)")
            if !isSound { return }
        }
    }
}

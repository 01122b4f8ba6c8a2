import CallFrameInfo
import TableBuilder
import TestFixtures
import Testing
import UnwindTable

@testable import GoFunctionTable

@Suite struct GoFramesTests {
    private static let start: UInt64 = 0x401000

    /// A program of one function.
    private struct Made {
        var frames: GoFrames
        var table: BuiltTable

        func text(_ offset: UInt64) -> String { table.text(at: GoFramesTests.start + offset) }
    }

    private func frames(
        _ code: [UInt8], _ depths: [(depth: Int, units: Int)], _ machine: TableMachine = .x86_64,
        name: String = "main.f",
        flags: UInt8 = 0, codeAt: UInt64 = start
    ) throws -> GoFrames {
        let writer = GoTableWriter(machine: machine, end: Self.start + 0x100)
        let section = writer.section([.init(start: Self.start, name: name, depths: depths, flags: flags)])
        let padded = code + [UInt8](repeating: 0x90, count: 0x100 - code.count)
        return try section.bytes.withUnsafeBytes { bytes in
            try padded.withUnsafeBytes { code in
                let table = try GoFunctionTable(bytes, quantum: machine == .aarch64 ? 4 : 1, text: nil)
                let code = GoCode([(codeAt..<codeAt + UInt64(code.count), code)])
                return try GoFrames(table, isAArch64: machine == .aarch64, code: code)
            }
        }
    }

    private func make(
        _ code: [UInt8], _ depths: [(depth: Int, units: Int)], _ machine: TableMachine = .x86_64,
        name: String = "main.f",
        flags: UInt8 = 0
    ) throws -> Made {
        let frames = try frames(code, depths, machine, name: name, flags: flags)
        let section = FrameSection(kind: .debugFrame, bytes: frames.bytes, address: 0, machine: machine.rawValue)
        let table = try BuiltTable(section, machine, executable: [Self.start..<Self.start + 0x100])
        return Made(frames: frames, table: table)
    }

    // MARK: x86-64

    /// `sub $24, %rsp; mov %rbp, 16(%rsp); lea 16(%rsp), %rbp; …; mov 16(%rsp), %rbp; add $24, %rsp; ret`
    @Test func framePointerIsSavedInTheFrame() throws {
        let made = try make(
            [0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x10, 0x48, 0x8d, 0x6c, 0x24, 0x10],
            [(0, 4), (24, 0x20), (0, 1)])
        #expect(made.text(0) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        #expect(made.text(3) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        // Not yet saved.
        #expect(made.text(4) == "CFA = rsp+32, rbp = rbp, ra = *(CFA-8)")
        #expect(made.text(8) == "CFA = rsp+32, rbp = rbp, ra = *(CFA-8)")
        #expect(made.text(9) == "CFA = rsp+32, rbp = *(CFA-16), ra = *(CFA-8)")
        #expect(made.text(0x23) == "CFA = rsp+32, rbp = *(CFA-16), ra = *(CFA-8)")
        #expect(made.text(0x24) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        #expect(made.frames.functionCount == 1)
        #expect(made.frames.contains(Self.start + 0x24) && !made.frames.contains(Self.start + 0x25))
        #expect(!made.frames.contains(Self.start - 1))
    }

    /// `push %rbp; mov %rsp, %rbp; sub $16, %rsp`
    @Test func framePointerIsPushed() throws {
        let made = try make([0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10], [(0, 1), (8, 7), (24, 0x10), (0, 1)])
        #expect(made.text(0) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        #expect(made.text(1) == "CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)")
        #expect(made.text(8) == "CFA = rsp+32, rbp = *(CFA-16), ra = *(CFA-8)")
    }

    /// Behind the check of the stack's size; but not another instruction that ends with the same byte, nor without a frame
    /// pointer.
    @Test(
        arguments: [
            ([0x76, 0x10, 0x55, 0x48, 0x89, 0xe5], 3, true),
            ([0x0f, 0x86, 0x10, 0, 0, 0, 0x55, 0x48, 0x89, 0xe5], 7, true),
            // push %r13; push $0x55; behind another instruction; push %rbp alone
            ([0x41, 0x55, 0x48, 0x89, 0xe5], 2, false), ([0x6a, 0x55, 0x48, 0x89, 0xe5], 2, false),
            ([0x90, 0x90, 0x90, 0x55, 0x48, 0x89, 0xe5], 4, false), ([0x55, 0x90, 0x90, 0x90], 1, false),
        ] as [([UInt8], Int, Bool)])
    func onlyPushesOfTheFramePointerCount(code: [UInt8], end: Int, isSaved: Bool) throws {
        let made = try make(code, [(0, end), (8, 7)])
        let rule = isSaved ? "*(CFA-16)" : "undefined"
        #expect(made.text(UInt64(end)) == "CFA = rsp+16, rbp = \(rule), ra = *(CFA-8)")
    }

    /// A slot of 4 bytes, and none for a frame of one word.
    @Test func slotsOfOtherSizes() throws {
        let large = try make(
            [0x48, 0x81, 0xec, 0x08, 0x01, 0, 0, 0x48, 0x89, 0xac, 0x24, 0x00, 0x01, 0, 0], [(0, 7), (0x108, 0x20)])
        #expect(large.text(14) == "CFA = rsp+272, rbp = rbp, ra = *(CFA-8)")
        #expect(large.text(15) == "CFA = rsp+272, rbp = *(CFA-16), ra = *(CFA-8)")
        let small = try make([0x48, 0x83, 0xec, 0x08, 0x48, 0x89, 0x2c, 0x24], [(0, 4), (8, 0x20)])
        #expect(small.text(8) == "CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)")
    }

    /// Another slot than the frame's highest word, other instructions, or none that change the depth.
    @Test func framePointerThatNothingProvesIsUnknown() throws {
        let other = try make([0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x08], [(0, 4), (24, 0x20), (0, 1)])
        #expect(other.text(0) == "CFA = rsp+8, rbp = undefined, ra = *(CFA-8)")
        #expect(other.text(0x10) == "CFA = rsp+32, rbp = undefined, ra = *(CFA-8)")
        #expect(other.text(0x24) == "CFA = rsp+8, rbp = undefined, ra = *(CFA-8)")
        let leaf = try make([0x90], [(0, 0x20)])
        #expect(leaf.text(0) == "CFA = rsp+8, rbp = undefined, ra = *(CFA-8)")
    }

    // MARK: aarch64

    /// `str x30, [sp, #-48]!`
    @Test func linkIsSavedByTheInstructionThatReservesTheFrame() throws {
        let made = try make([0xfe, 0x0f, 0x1d, 0xf8], [(0, 1), (48, 8), (0, 1)], .aarch64)
        #expect(made.text(0) == "CFA = sp, x29 = undefined, ra = x30 (needs live registers)")
        #expect(made.text(4) == "CFA = sp+48, x29 = undefined, ra = *(CFA-48)")
        #expect(made.text(36) == "CFA = sp, x29 = undefined, ra = x30 (needs live registers)")
    }

    /// `sub x20, sp, #0x120; stp x29, x30, [x20, #-8]; mov sp, x20`
    @Test func linkIsSavedBeforeALargeFrameIsReserved() throws {
        let made = try make(
            [0xf4, 0x83, 0x04, 0xd1, 0x9d, 0xfa, 0x3f, 0xa9, 0x9f, 0x02, 0x00, 0x91], [(0, 3), (0x120, 8)], .aarch64)
        #expect(made.text(8).contains("ra = x30"))
        #expect(made.text(12).hasSuffix("ra = *(CFA-288)"))
    }

    @Test(
        arguments: [
            // Another distance; no saving; two depths; a depth that isn't one of words.
            ([0xfe, 0x0f, 0x1c, 0xf8], [(0, 1), (48, 8)]), ([0xff, 0xc3, 0x00, 0xd1], [(0, 1), (48, 8)]),
            ([0xfe, 0x0f, 0x1d, 0xf8], [(0, 1), (48, 8), (64, 4)]), ([0xfe, 0x0f, 0x1d, 0xf8], [(48, 9)]),
            ([0xfe, 0xcf, 0x1c, 0xf8], [(0, 1), (52, 8)]),
        ] as [([UInt8], [(Int, Int)])])
    func linkThatNothingProvesLeavesTheFunctionOut(code: [UInt8], depths: [(Int, Int)]) throws {
        let frames = try frames(code, depths.map { (depth: $0.0, units: $0.1) }, .aarch64)
        #expect(frames.functionCount == 0)
    }

    // MARK: Ends, and what is left out

    @Test(arguments: [TableMachine.x86_64, .aarch64])
    func outermostFunctionsEndTheStack(machine: TableMachine) throws {
        let made = try make([0x90], [(0, 8)], machine, name: "runtime.goexit")
        #expect(made.table.view.rule(at: Self.start).isEndOfStack)
    }

    @Test func functionsAreLeftOut() throws {
        #expect(try frames([0x90], [(0, 8)], name: "runtime.gogo").functionCount == 0)
        #expect(try frames([0x90], [(0, 8)], flags: 2).functionCount == 0)
        #expect(try frames([0x90], [(0, 4), (8, 4), (-8, 4)]).functionCount == 0)
        // Where there is no code.
        #expect(try frames([0x90], [(0, 8)], codeAt: 0x500000).functionCount == 0)
        #expect(try frames([0x90], []).functionCount == 0)
        // Beyond the end of the code.
        #expect(try frames([0x90], [(0, 8)], codeAt: Self.start - 1).functionCount == 0)
    }

    @Test func functionWithTooManyDepthsIsLeftOut() throws {
        func count(_ runs: Int) throws -> Int {
            let depths = (0..<runs).map { (depth: $0 % 2 * 8, units: 1) }
            let section = GoTableWriter(end: Self.start + 0x100_0000).section([
                .init(start: Self.start, name: "f", depths: depths)
            ])
            let code = [UInt8](repeating: 0x90, count: 0x100_0000)
            return try section.bytes.withUnsafeBytes { bytes in
                try code.withUnsafeBytes { code in
                    let table = try GoFunctionTable(bytes, quantum: 1, text: nil)
                    let code = GoCode([(Self.start..<Self.start + UInt64(code.count), code)])
                    return try GoFrames(table, isAArch64: false, code: code).functionCount
                }
            }
        }
        #expect(try count(GoFrames.runLimit) == 1)
        #expect(try count(GoFrames.runLimit + 1) == 0)
    }

    /// Every function with the same long depths.
    @Test func sectionIsNoLargerThanTheCode() throws {
        let depths = (0..<5000).map { (depth: $0 % 2 * 8, units: 1) }
        let count = 20
        var section = GoTableWriter(end: Self.start + UInt64(count) * 5000).section(
            (0..<count).map {
                .init(start: Self.start + UInt64($0) * 5000, name: "f", depths: depths)
            })
        let code = [UInt8](repeating: 0x90, count: count * 5000)
        try section.bytes.withUnsafeBytes { bytes in
            try code.withUnsafeBytes { code in
                let table = try GoFunctionTable(bytes, quantum: 1, text: nil)
                let code = GoCode([(Self.start..<Self.start + UInt64(code.count), code)])
                #expect(throws: GoTableError(offset: 0, problem: "stack depths take more room than the code")) {
                    try GoFrames(table, isAArch64: false, code: code)
                }
            }
        }
        section.bytes = []
    }
}

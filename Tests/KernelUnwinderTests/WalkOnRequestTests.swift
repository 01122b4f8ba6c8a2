import CUnwindTable
import Glibc
@testable import KernelUnwinder
import TestFixtures
import Testing

/// Whether BPF programs can be loaded here, and registers have x86-64's numbers.
private var canWalk: Bool {
    #if arch(x86_64)
        HostKernel.takesPrograms
    #else
        false
    #endif
}

/// Walks of stacks in the test's own memory, by rules that the test defines (cfic/batch.h).
@Suite(
    .enabled(if: canWalk, "\(HostKernel.need), and x86-64"), .timeLimit(.minutes(30)))
struct WalkOnRequestTests {
    private static let process: Int32 = .max
    private static let bias: UInt64 = 0xffff_8000_0000_0000
    private static let start: UInt64 = 0x10_0000
    private static var code: UInt64 { bias + start }
    /// A function with a row for each byte: at its nth byte, the return address is n bytes above the stack pointer.
    private static let steps = MadeTable.Function(start, length: 1024, every: 1, count: 1024) { $0 + 8 }

    /// A return address whose frame has its own return address `distance` bytes above its stack pointer.
    private func caller(_ distance: Int) -> UInt64 { Self.code + UInt64(distance) + 1 }

    // MARK: The stack

    /// Return addresses at all offsets relative to the window of the stack, including around its end.
    @Test func wordsAreReadWhereverTheyStand() throws {
        let walker = try Walker()
        try walker.unwinder.map(MadeTable([Self.steps]).view, at: Self.bias, in: Self.process)
        let stack = StackMemory(words: 256)
        defer { withExtendedLifetime(stack) {} }
        for distance in 0..<1000 {
            stack.fill()
            stack[0] = caller(distance)
            stack[8 + distance] = caller(0)
            stack[8 + distance + 8] = 0
            let found = try walker.walk(Self.process, from: Self.code, stack.address)
            #expect(found.end.code == CFIC_STEP_ZERO_RETURN_ADDRESS.rawValue, "\(distance)")
            #expect(found.frames.map(\.pc) == [Self.code, caller(distance), caller(0)], "\(distance)")
        }
    }

    /// Each read gets a large window, at any position of the walk.
    @Test func deepStackIsReadInFewPieces() throws {
        let walker = try Walker()
        try walker.unwinder.map(MadeTable([Self.steps]).view, at: Self.bias, in: Self.process)
        let count = 500, stack = StackMemory(words: 4 * 500)
        defer { withExtendedLifetime(stack) {} }
        stack.fill()
        for frame in 0..<count { stack[8 * frame] = frame == count - 1 ? 0 : caller(0) }
        var reads: Set<UInt64> = []
        for _ in 0..<10 {
            let before = try walker.unwinder.counters()
            let found = try walker.walk(Self.process, from: Self.code, stack.address)
            let after = try walker.unwinder.counters()
            #expect(found.frames.count == count && found.end.code == CFIC_STEP_ZERO_RETURN_ADDRESS.rawValue)
            #expect(after.otherReads == before.otherReads)
            reads.insert(after.stackReads - before.stackReads)
        }
        // The reads of each walk are counted.
        let once = try #require(reads.first)
        #expect(reads.count == 1 && (1...UInt64(count / 8)).contains(once))
    }

    /// The window of a previous walk must not be used.
    @Test func stackIsReadAnewForEachWalk() throws {
        let walker = try Walker()
        try walker.unwinder.map(MadeTable([Self.steps]).view, at: Self.bias, in: Self.process)
        let stack = StackMemory(words: 16)
        defer { withExtendedLifetime(stack) {} }
        for distance in (0..<40).map({ $0 % 3 * 8 }) {
            stack.fill()
            stack[0] = caller(distance)
            stack[8 + distance] = 0
            let found = try walker.walk(Self.process, from: Self.code, stack.address)
            #expect(found.frames.map(\.pc) == [Self.code, caller(distance)])
        }
    }

    /// A read across the end of a mapping fails as a whole. The saved frame pointer is in the previous window.
    @Test func whatWasReadBeforeAReadThatFailedIsNotTrusted() throws {
        let walker = try Walker()
        // From its 10th byte on, the frame pointer is saved at CFA - 16; from its 20th on, the CFA is 16 above it.
        let saving = MadeTable.Function(
            Self.start, length: 64,
            [
                .init(0, 8), .init(10, 8 + 448, [0x86, 2]), .init(20, 16, [0x0d, 6]),
            ])
        try walker.unwinder.map(MadeTable([saving]).view, at: Self.bias, in: Self.process)
        let page = 4096
        let stack = StackMemory(words: 2 * page / 8, protectedWords: page / 8)
        defer { withExtendedLifetime(stack) {} }
        let first = page - 8 - 456
        stack.fill(words: page / 8)
        stack[first] = Self.code + 11
        // Its return address is at the mapping's end, just outside the first window; its frame pointer is in the
        // window.
        stack[first + 8 + 448] = Self.code + 21
        stack[first + 8 + 440] = stack.address + UInt64(first)
        let found = try walker.walk(Self.process, from: Self.code, stack.address + UInt64(first))
        #expect(found.frames.map(\.pc).prefix(3) == [Self.code, Self.code + 11, Self.code + 21])
        // The word 8 bytes above that frame pointer.
        stack[first + 8] = 0
        let again = try walker.walk(Self.process, from: Self.code, stack.address + UInt64(first))
        #expect(again.frames.count == 3 && again.end.code == CFIC_STEP_ZERO_RETURN_ADDRESS.rawValue, "\(again.end)")
    }

    // MARK: Mappings

    /// Two processes map different files at the same address.
    @Test func mappingOfAnotherProcessIsNotThisOnes() throws {
        let walker = try Walker()
        let stack = StackMemory(words: 16)
        defer { withExtendedLifetime(stack) {} }
        for (number, cfa) in [8, 16, 24].enumerated() {
            let table = try MadeTable(
                [.init(Self.start, length: 64, [.init(0, cfa)])], key: .buildID([UInt8(number + 1)]))
            try walker.unwinder.map(table.view, at: Self.bias, in: Self.process - Int32(number))
        }
        stack.fill()
        for (word, address) in [1, 2, 3].enumerated() { stack[8 * word] = Self.code + UInt64(address) }
        for turn in 0..<30 {
            let found = try walker.walk(Self.process - Int32(turn % 3), from: Self.code, stack.address)
            #expect(found.frames[1].pc == Self.code + UInt64(turn % 3 + 1))
        }
    }

    @Test func processOfWhichNothingIsKnownHasItsInnermostFrame() throws {
        let walker = try Walker()
        try walker.unwinder.map(MadeTable([Self.steps]).view, at: Self.bias, in: Self.process)
        try walker.unwinder.expectProcess(Self.process - 1)
        let stack = StackMemory(words: 16)
        defer { withExtendedLifetime(stack) {} }
        stack[0] = 0
        for _ in 0..<20 {
            let known = try walker.walk(Self.process, from: Self.code, stack.address)
            #expect(known.header.mappings != 0 && known.frames.count == 1)
            let unknown = try walker.walk(Self.process - 1, from: Self.code, stack.address)
            #expect(unknown.end.code == CFIC_STEP_NO_PROCESS.rawValue && unknown.header.mappings == 0)
            #expect(unknown.frames.map(\.pc) == [Self.code] && unknown.frames[0].isExact)
        }
    }

    // MARK: Counters

    /// The rule of the innermost function is inferred, that of its caller isn't.
    @Test func callersByInferredRulesAreMarked() throws {
        let walker = try Walker()
        let inferred = try MadeTable([Self.steps], source: .inferred)
        try walker.unwinder.map(inferred.view, at: Self.bias, in: Self.process)
        let stated = try MadeTable([Self.steps], key: .buildID([2]))
        try walker.unwinder.map(stated.view, at: Self.bias, in: Self.process - 1)
        let stack = StackMemory(words: 64)
        defer { withExtendedLifetime(stack) {} }
        stack.fill()
        stack[0] = caller(0)
        stack[8] = caller(3)
        // Not at a multiple of 8, so by a long rule.
        stack[19] = caller(0)
        stack[27] = 0
        for _ in 0..<20 {
            let found = try walker.counted { try walker.walk(Self.process, from: Self.code, stack.address) }
            #expect(found.walk.frames.map(\.pc) == [Self.code, caller(0), caller(3), caller(0)])
            #expect(found.walk.frames.map(\.isInferred) == [false, true, true, true])
            #expect(found.walk.frames.allSatisfy { !$0.isGuessed })
            #expect(
                found.counters
                    == Counted(frames: 4, guessedFrames: 0, inferredFrames: 3, complete: 1, guessed: 0, lookups: 4))
            let others = try walker.counted { try walker.walk(Self.process - 1, from: Self.code, stack.address) }
            #expect(others.walk.frames.map(\.pc) == found.walk.frames.map(\.pc))
            #expect(others.walk.frames.allSatisfy { !$0.isInferred } && others.counters.inferredFrames == 0)
        }
    }

    /// A walk with a guess, which can't be checked because its code can't be read, followed by rules; then a walk with
    /// only rules.
    @Test func guessesAreCountedOfTheWalkThatMadeThem() throws {
        let walker = try Walker()
        let table = try MadeTable([Self.steps])
        try walker.unwinder.addTable(table.view)
        let unknown: UInt64 = 0x10_0000
        let unnamed = PlacedMapping(start: unknown, end: unknown + 0x1000, bias: 0, range: 0)
        try walker.unwinder.publish(
            Self.process,
            [unnamed]
                + walker.unwinder.images.placedRanges(of: table.view.key).map { range in
                    PlacedMapping(
                        start: range.addresses.lowerBound &+ Self.bias, end: range.addresses.upperBound &+ Self.bias,
                        bias: Self.bias, range: range.place)
                })
        let stack = StackMemory(words: 64)
        defer { withExtendedLifetime(stack) {} }
        stack.fill()
        // A frame record.
        stack[64] = stack.address + 256
        stack[72] = caller(0)
        stack[80] = caller(8)
        stack[96] = 0
        stack[0] = 0x5000
        for _ in 0..<20 {
            let guessed = try walker.counted {
                try walker.walk(Self.process, from: unknown, stack.address + 16, fp: stack.address + 64)
            }
            #expect(guessed.walk.frames.map(\.pc) == [unknown, caller(0), caller(8)])
            #expect(guessed.walk.frames.map(\.isGuessed) == [false, true, true])
            #expect(guessed.walk.header.guessed_count == 2 && guessed.walk.end.isOutermost)
            #expect(guessed.counters == Counted(frames: 3, guessedFrames: 2, complete: 0, guessed: 1, lookups: 2))

            let ruled = try walker.counted { try walker.walk(Self.process, from: Self.code + 24, stack.address + 72) }
            #expect(ruled.walk.frames.map(\.isGuessed) == [false] && ruled.walk.header.guessed_count == 0)
            #expect(ruled.counters == Counted(frames: 1, guessedFrames: 0, complete: 1, guessed: 0, lookups: 1))

            // Without a mapping there is no lookup.
            let lost = try walker.counted { try walker.walk(Self.process, from: Self.code, stack.address) }
            #expect(lost.walk.end.code == CFIC_STEP_NO_MAPPING.rawValue && lost.walk.header.reason == 0)
            #expect(lost.counters == Counted(frames: 2, guessedFrames: 0, complete: 0, guessed: 0, lookups: 1))
        }
    }
}

/// The counts that a walk adds to the counters.
private struct Counted: Equatable {
    var frames: UInt64
    var guessedFrames: UInt64
    var inferredFrames: UInt64 = 0
    var complete: UInt64
    var guessed: UInt64
    var lookups: UInt64
}

extension Walker {
    fileprivate func counted(_ body: () throws -> Walk) throws -> (walk: Walk, counters: Counted) {
        let before = try unwinder.counters()
        let walk = try body()
        let after = try unwinder.counters()
        return (
            walk,
            Counted(
                frames: after.userFrames - before.userFrames, guessedFrames: after.guessedFrames - before.guessedFrames,
                inferredFrames: after.inferredFrames - before.inferredFrames,
                complete: after.complete - before.complete, guessed: after.guessed - before.guessed,
                lookups: after.lookups - before.lookups)
        )
    }
}

import CUnwindTable
@testable import KernelUnwinder
import TestFixtures
import Testing

/// Samples as records of the ring buffer.
@Suite struct SampleTests {
    /// A record with these counts, followed by these words.
    private func record(
        kernel: UInt16, user: UInt16, _ words: [UInt64], _ change: (inout cfic_sample) -> Void = { _ in }
    ) -> [UInt64] {
        var header = cfic_sample()
        header.kernel_count = kernel
        header.user_count = user
        header.end = UInt8(CFIC_STEP_END_OF_STACK.rawValue)
        change(&header)
        // As words, because records start at multiples of 8.
        return withUnsafeBytes(of: header) { Array($0.bindMemory(to: UInt64.self)) } + words
    }

    @Test func framesAreKernelsThenUsers() throws {
        let exact: UInt64 = 1 << 63, guessed: UInt64 = 1 << 62, unchecked: UInt64 = 1 << 61, inferred: UInt64 = 1 << 60
        let words = record(
            kernel: 2, user: 4,
            [
                0xffff_8000_0000_1000, 0xffff_8000_0000_2000, exact | 0x1000, inferred | 0x2000,
                guessed | 0x3000, guessed | unchecked | 0x4000,
            ]
        ) { header in
            header.time = 12
            header.process = 34
            header.thread = 56
            header.guessed_count = 2
            withUnsafeMutableBytes(of: &header.command) { $0.copyBytes(from: Array("thread".utf8)) }
        }
        try words.withUnsafeBytes { bytes in
            let sample = try #require(Sample(bytes))
            #expect(sample.time == 12 && sample.process == 34 && sample.thread == 56 && sample.command == "thread")
            #expect(Array(sample.kernelFrames) == [0xffff_8000_0000_1000, 0xffff_8000_0000_2000])
            #expect(sample.userFrames.map(\.pc) == [0x1000, 0x2000, 0x3000, 0x4000])
            #expect(sample.userFrames.map(\.isExact) == [true, false, false, false])
            #expect(sample.userFrames.map(\.isGuessed) == [false, false, true, true])
            #expect(sample.userFrames.map(\.isUnchecked) == [false, false, false, true])
            #expect(sample.userFrames.map(\.isInferred) == [false, true, false, false])
            #expect(sample.userFrames.allSatisfy { !$0.isFinished })
            // Return addresses less 1, because a call may be its function's last instruction.
            #expect(sample.userFrames.map(\.lookupAddress) == [0x1000, 0x1fff, 0x2fff, 0x3fff])
            #expect(sample.end.isOutermost && sample.outcome == .guessed)
        }
    }

    /// All other user addresses are below 2^56.
    @Test func addressOfTheVsyscallPageIsWhole() throws {
        let address: UInt64 = 0xffff_ffff_ff60_0400, mask: UInt64 = 1 << 60 - 1
        for marks: UInt64 in [0, 1 << 63, 15 << 60] {
            let words = record(kernel: 0, user: 1, [address & mask | marks])
            words.withUnsafeBytes { #expect(Sample($0)?.userFrames.map(\.pc) == [address]) }
        }
    }

    @Test func commandMayFillItsField() throws {
        let words = record(kernel: 0, user: 0, []) { header in
            withUnsafeMutableBytes(of: &header.command) { $0.copyBytes(from: Array("0123456789abcdef".utf8)) }
        }
        words.withUnsafeBytes { #expect(Sample($0)?.command == "0123456789abcdef") }
    }

    @Test func cutOffRecordsAreNone() {
        let words = record(kernel: 1, user: 2, [1, 2, 3])
        words.withUnsafeBytes { bytes in
            for count in 0..<bytes.count { #expect(Sample(UnsafeRawBufferPointer(rebasing: bytes[..<count])) == nil) }
            #expect(Sample(bytes) != nil)
        }
        #expect(Sample(UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
    }

    @Test func countsBeyondTheRecordAreRefused() {
        for (kernel, user) in [(UInt16.max, UInt16.max), (0, 4), (4, 0), (.max, 0)] as [(UInt16, UInt16)] {
            let words = record(kernel: kernel, user: user, [1, 2, 3])
            words.withUnsafeBytes { #expect(Sample($0) == nil) }
        }
    }

    // MARK: Ends

    @Test func onlyFiveEndsAreOutermost() {
        let outermost = (0..<UInt32(CFIC_STEP_COUNT.rawValue)).filter { StackEnd(code: $0).isOutermost }
        #expect(
            outermost
                == [
                    CFIC_STEP_END_OF_STACK, CFIC_STEP_ZERO_RETURN_ADDRESS, CFIC_STEP_END_OF_CHAIN,
                    CFIC_STEP_KERNEL_THREAD, CFIC_STEP_NO_USER_CODE,
                ].map(\.rawValue))
    }

    /// The end of the chain of frame pointers is no rule, even if no frame was guessed.
    @Test func outcomeIsCompleteByRulesAlone() {
        for code in 0..<UInt32(CFIC_STEP_COUNT.rawValue) {
            let end = StackEnd(code: code)
            let isByRules = code != CFIC_STEP_END_OF_CHAIN.rawValue
            #expect(
                StackOutcome(end, hasGuesses: false)
                    == (!end.isOutermost ? .truncated : isByRules ? .complete : .guessed), "\(end)")
            #expect(StackOutcome(end, hasGuesses: true) == (end.isOutermost ? .guessed : .truncated), "\(end)")
        }
    }

    @Test func everyEndHasANameAndAText() {
        let all = (0..<UInt32(CFIC_STEP_COUNT.rawValue)).map { StackEnd(code: $0) }
        #expect(Set(all.map(\.name)).count == all.count && Set(all.map(\.description)).count == all.count)
        for end in all {
            #expect(end.name.wholeMatch(of: /[a-z][a-z-]+/) != nil, "\(end.name)")
            #expect(!end.description.isEmpty && end.description != "code \(end.code)")
        }
    }

    @Test func reasonIsSaidWhereThatEndedIt() {
        let none = StackEnd(code: CFIC_STEP_NO_RULE.rawValue, reason: CFIC_REASON_NO_CFA.rawValue)
        #expect(none.description == "the table has a reason instead of a rule: no instruction defined the CFA")
        let other = StackEnd(code: CFIC_STEP_TOO_DEEP.rawValue, reason: CFIC_REASON_NO_CFA.rawValue)
        #expect(other.description == "the stack has more frames than a walk follows")
    }

    /// From BPF programs that are newer than this library.
    @Test func unknownEndIsANumber() {
        #expect(StackEnd(code: 99).description == "code 99" && StackEnd(code: 99).name == "step-99")
        #expect(!StackEnd(code: 99).isOutermost)
        let unknown = StackEnd(code: CFIC_STEP_NO_RULE.rawValue, reason: 250)
        #expect(unknown.description == "the table has a reason instead of a rule")
    }

    @Test func countersOfAllCPUsAreSums() {
        var one = cfic_counters(), two = cfic_counters()
        one.samples = 1
        one.lost = 2
        two.samples = 10
        two.user_frames = 7
        withUnsafeMutableBytes(of: &two.ends) { $0.bindMemory(to: UInt64.self)[31] = 5 }
        var sum = Counters()
        sum.add(one)
        sum.add(two)
        #expect(sum.samples == 11 && sum.lost == 2 && sum.userFrames == 7 && sum.ends[31] == 5)
        #expect(sum.ends.count == 32)
    }
}

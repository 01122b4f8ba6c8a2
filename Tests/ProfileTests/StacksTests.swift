import CUnwindTable
@testable import KernelUnwinder
@testable import Profile
import Testing

/// Counts of stacks.
@Suite struct StacksTests {
    private func stack(
        kernel: [UInt64] = [], user: [Sample.Frame], _ end: cfic_step, reason: UInt32 = 0
    ) -> Stacks.Stack {
        Stacks.Stack(
            space: AddressSpace(process: 1), command: "thread", kernelFrames: kernel, userFrames: user,
            end: StackEnd(code: end.rawValue, reason: reason))
    }

    @Test func totalsHaveEachStackAsOftenAsItWasSeen() {
        let frame = Sample.Frame(0x1010, isExact: true), guessed = Sample.Frame(0x2010, isGuessed: true)
        let inferred = Sample.Frame(0x2010, isInferred: true)
        let both = Sample.Frame(0x2010, isGuessed: true, isInferred: true)
        var stacks = Stacks()
        for _ in 0..<3 {
            stacks.add(stack(kernel: [1, 2], user: [frame, inferred, inferred], CFIC_STEP_END_OF_STACK))
        }
        for _ in 0..<5 { stacks.add(stack(user: [frame, guessed, both], CFIC_STEP_END_OF_CHAIN)) }
        // Regardless of the table's reason.
        for reason in [1, 2, 2] as [UInt32] { stacks.add(stack(user: [frame], CFIC_STEP_NO_RULE, reason: reason)) }
        let totals = stacks.totals
        #expect([.complete, .guessed, .truncated].map(stacks.samples) == [3, 5, 3])
        _ = stacks.moveFrames({ $0 }, kernel: { $0 + 1 })
        #expect([.complete, .guessed, .truncated].map(stacks.samples) == [3, 5, 3])
        #expect(totals.samples == 11 && totals.kernelFrames == 6 && totals.userFrames == 9 + 15 + 3)
        #expect(totals.inferredFrames == 6)
        #expect(totals.outcomes == [.complete: 3, .guessed: 5, .truncated: 3])
        #expect(
            totals.ends
                == Dictionary(
                    uniqueKeysWithValues: [
                        (CFIC_STEP_END_OF_STACK, 3), (CFIC_STEP_END_OF_CHAIN, 5), (CFIC_STEP_NO_RULE, 3),
                    ].map { (StackEnd(code: $0.0.rawValue), $0.1) }))
    }

    @Test func numbersStandForStacksAndOnlySamplesCount() {
        let frame = Sample.Frame(0x1010, isExact: true)
        let one = stack(user: [frame], CFIC_STEP_END_OF_STACK), other = stack(user: [], CFIC_STEP_END_OF_STACK)
        var wait = one
        wait.isWaiting = true
        var stacks = Stacks()
        let number = stacks.number(of: one)
        #expect(stacks.number(of: other) != number && stacks.number(of: one) == number)
        #expect(stacks.counts.isEmpty)
        stacks.add(number)
        stacks.add(one)
        stacks.add(stacks.number(of: wait), waited: 2.5)
        stacks.add(wait, waited: 4)
        #expect(stacks.counts == [one: 2, wait: 2])
        #expect(stacks.waited[wait] == 6.5 && stacks.waited[one] == nil && stacks.waited[other] == nil)
        let totals = stacks.totals
        #expect(totals.samples == 4 && totals.waits == 2 && totals.waited == 6.5 && totals.userFrames == 4)
    }

    @Test func stacksThatDifferInAnythingAreDifferentAndComeBack() {
        let frame = Sample.Frame(0x1010, isExact: true), caller = Sample.Frame(0x2010, isGuessed: true)
        var one = stack(kernel: [1, 2], user: [frame, caller], CFIC_STEP_NO_RULE, reason: 1)
        one.addresses = [0x1010, 0x2010]
        let changes: [(inout Stacks.Stack) -> Void] = [
            { _ in }, { $0.space.process = 2 }, { $0.space.isResolved = true }, { $0.command = "other" },
            { $0.cgroup = 7 }, { $0.isWaiting = true }, { $0.kernelFrames = [2, 1] }, { $0.kernelFrames = [1] },
            { $0.kernelFrames = [] }, { $0.userFrames = [frame] }, { $0.userFrames = [caller, frame] },
            { $0.userFrames = [Sample.Frame(0x1010), caller] }, { $0.userFrames = [] },
            { $0.end = StackEnd(code: CFIC_STEP_NO_RULE.rawValue, reason: 2) },
            { $0.end = StackEnd(code: CFIC_STEP_NO_PROCESS.rawValue, reason: 1) }, { $0.addresses = [] },
            { $0.addresses = [0x2010, 0x1010] },
        ]
        let all = changes.map { change in
            var changed = one
            change(&changed)
            return changed
        }
        var stacks = Stacks()
        for (index, stack) in all.enumerated() { for _ in 0...index { stacks.add(stack) } }
        #expect(stacks.count == all.count && Array(stacks.all) == all)
        #expect(stacks.counted.map(\.samples) == Array(1...all.count))
    }
}

import CUnwindTable
import Foundation
@testable import KernelUnwinder
import TestFixtures
import Testing

/// Unusual stacks: each ends with the expected cause.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct OddStackTests {
    /// The stacks in a function, at least 20 samples.
    private func stacks(
        _ program: LiveProgram, in function: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [LiveStacks.Live] {
        let found = try LiveStacks(of: program) { $0.innermost == function }.inside(function)
        try #require(found.reduce(0) { $0 + $1.count } >= 20, sourceLocation: sourceLocation)
        return found
    }

    /// Three more frames precede `main`.
    @Test(arguments: [10, 1000, 1020])
    func stackOfAsManyFramesAsAWalkTakesIsWhole(depth: Int) throws {
        for live in try stacks(.odd("depth", "\(depth)"), in: "spin") {
            #expect(live.isComplete && live.depth == depth + 4, "\(live.stack.end)")
            #expect(live.text.hasSuffix(";main" + String(repeating: ";descend", count: depth - 1) + ";spin"))
        }
    }

    @Test(arguments: [1021, 5000])
    func deeperStackIsSaidToBeTooDeep(depth: Int) throws {
        for live in try stacks(.odd("depth", "\(depth)"), in: "spin") {
            #expect(live.stack.end.code == CFIC_STEP_TOO_DEEP.rawValue)
            #expect(live.depth == Int(CFIC_FRAMES_MAX))
            #expect(live.functions.dropFirst().allSatisfy { $0 == "descend" || $0 == "main" || depth == 1021 })
        }
    }

    @Test func codeMadeAtRunTimeIsPassedByItsFramePointerAndMarked() throws {
        for live in try stacks(.odd("made"), in: "spin") {
            #expect(live.stack.outcome == .guessed)
            #expect(live.functions.prefix(4) == ["spin", "[anonymous]", "call_made_code", "main"])
            #expect(live.outermost == "_start")
            // From the guessed frame on; not the frame whose code has no rules.
            #expect(live.stack.userFrames.dropFirst(2).allSatisfy { $0.isGuessed && !$0.isUnchecked })
            #expect(live.stack.userFrames.prefix(2).allSatisfy { !$0.isGuessed })
        }
    }

    @Test func frameThatCallsItselfEnds() throws {
        for live in try stacks(.odd("itself"), in: "with_frame") {
            #expect(live.stack.end.code == CFIC_STEP_NO_PROGRESS.rawValue)
            #expect(live.depth <= 2)
        }
    }

    @Test func framesThatCallEachOtherEnd() throws {
        for live in try stacks(.odd("two"), in: "with_frame") {
            #expect(live.stack.end.code == CFIC_STEP_TOO_DEEP.rawValue && live.depth == Int(CFIC_FRAMES_MAX))
        }
    }

    @Test func stackPointerThatLeadsNowhereEnds() throws {
        for live in try stacks(.odd("nowhere"), in: "without_stack") {
            #expect(live.stack.end.code == CFIC_STEP_UNREADABLE_RETURN_ADDRESS.rawValue && live.depth == 1)
        }
    }

    // MARK: Processes

    @Test func childrenAreSampledFromTheirFirstInstructionOn() throws {
        let program = try LiveProgram.odd("fork", "30")
        let stacks = try LiveStacks(of: program, count: 300, atLeast: 0.5) { $0.innermost == "work" }
        var children: Set<Int32> = []
        for live in stacks.all where live.stack.space.process != program.id {
            children.insert(live.stack.space.process)
            if live.hasNoUserCode || live.isWhileAPageIsCopied { continue }
            #expect(live.isComplete && live.outermost == "_start", "\(live.stack.end): \(live.text)")
            #expect(live.text.contains(";main;fork_on"), "\(live.text)")
        }
        #expect(children.count >= 5)
    }

    /// They spend nearly all their time in fork, its page faults, exit and wait. There are more of them than user space
    /// can follow while other tests run, so events are lost.
    @Test func processesThatDoNothingButForkAreWholeWhileTheirPagesAreNotCopied() throws {
        let program = try LiveProgram.odd("fork", "0")
        let stacks = try LiveStacks(of: program, count: 3000, atLeast: 2)
        for live in stacks.all where !live.hasNoUserCode {
            #expect(
                live.isComplete && live.outermost == "_start" || live.isWhileAPageIsCopied,
                "\(live.stack.end): \(live.text), \(live.kernelFunctions)")
        }
        #expect(stacks.all.filter(\.isComplete).reduce(0) { $0 + $1.count } >= 1000)
    }

    @Test func namesAreThoseOfTheProgramThatRan() throws {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised + [
                "-Dspin=spin_after", "-Dwork=work_after", "-o", "after", "\(LiveProgram.sources)/odd-stacks.c",
            ], in: fixture.directory)
        let program = try LiveProgram.odd("exec", "\(fixture.directory)/after", in: fixture)
        var isTold = false
        let stacks = try LiveStacks(of: program, count: 200) { live in
            if live.innermost == "work", !isTold {
                isTold = true
                kill(program.id, SIGUSR1)
            }
            return live.innermost == "spin_after"
        }
        #expect(stacks.all.contains { $0.innermost == "work" })
        #expect(stacks.inside("spin_after").filter(\.isComplete).reduce(0) { $0 + $1.count } >= 100)
        for live in stacks.all {
            // Both executables have nearly the same functions at the same addresses, except for these.
            #expect(!live.functions.contains("spin_after") || !live.functions.contains("work"), "\(live.text)")
            guard live.innermost == "spin_after" else { continue }
            switch live.stack.end.code {
            // Until its mappings were read and its table was made, its stacks end at once, with these causes.
            case CFIC_STEP_NO_PROCESS.rawValue, CFIC_STEP_TABLE_PENDING.rawValue:
                #expect(live.depth == 1, "\(live.text)")
            // Until the mapping of the library that calls main was read, they end there.
            case CFIC_STEP_NO_MAPPING.rawValue:
                #expect(live.text.contains(/^\[libc\.so\.6\]\+0x[0-9a-f]+;main;descend;/), "\(live.text)")
            default:
                #expect(live.isComplete && live.text.contains(";main;descend;"), "\(live.stack.end): \(live.text)")
            }
        }
    }

    @Test func libraryThatIsOpenedLaterIsSeen() throws {
        let fixture = try Fixture()
        try fixture.write(Array("#include \"stop.h\"\n".utf8), to: "library.c")
        try run(
            words: ["gcc"] + LiveProgram.optimised
                + ["-I", LiveProgram.sources, "-DSPIN_AT=1", "-shared", "-fPIC", "-o", "library.so", "library.c"],
            in: fixture.directory)
        let program = try LiveProgram.odd("library", "\(fixture.directory)/library.so", in: fixture)
        let stacks = try LiveStacks(of: program, count: 200) { $0.innermost == "stop_here" }
        let found = stacks.inside("stop_here")
        #expect(found.filter(\.isComplete).reduce(0) { $0 + $1.count } >= 100)
        for live in found where live.isComplete {
            #expect(live.text.hasSuffix(";main;open_library;stop_here") && live.outermost == "_start", "\(live.text)")
        }
    }
}

import ELF
import Foundation
import KernelUnwinder
import Profile
import TableCompiler
import TableSupply
import TestFixtures
import Testing
import UnwindTable
import Validation

/// Stacks of running processes, as the kernel walks them and as libdwfl unwinds their snapshots.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct LiveAuditTests {
    /// Samples a program until so many stacks were compared.
    private func audit(
        _ program: LiveProgram, tables: any TableSupply = CompilingSupply(store: nil), stacks: Int = 50,
        every: Int = 1
    ) throws -> LiveAudit {
        try audit(program, tables: tables, every: every) { settled($0) >= stacks }
    }

    /// - Parameters:
    ///   - finishes: whether stacks are finished, as the profiler does.
    ///   - observing: sees the stacks for the audit.
    private func audit(
        _ program: LiveProgram, tables: any TableSupply = CompilingSupply(store: nil), every: Int = 1,
        finishes: Bool = false, observing: (LiveAudit) -> any SampleObserver = { $0 },
        until isEnough: (LiveAudit) -> Bool
    ) throws -> LiveAudit {
        var options = KernelUnwinder.Options()
        options.snapshotEvery = every
        options.finishesStacks = finishes
        let unwinder = try KernelUnwinder(tables: tables, options)
        let audit = try LiveAudit(tables: tables, debugFiles: nil)
        let recorder = Recorder(unwinder)
        let observer = observing(audit)
        recorder.observer = observer
        try unwinder.watchProcesses()
        try recorder.add(program.id)
        try unwinder.start(.clock, frequency: 499)
        while !isEnough(audit) {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        unwinder.close()
        return audit
    }

    /// Differences of a program that is still starting: the dynamic linker maps its libraries, and tables are made.
    private static let starting: Set<LiveDifference> = [
        .mappingsUnknown, .noTable, .noCallFrameInformation, .unreadable,
    ]

    /// The number of stacks since the program started.
    private func settled(_ audit: LiveAudit) -> Int {
        audit.stackCount
            - audit.classes.filter { Self.starting.contains($0.difference) }.reduce(0) { $0 + $1.count }
    }

    private func differences(_ audit: LiveAudit) -> [LiveDifference: Int] {
        let classes = audit.classes.filter { !Self.starting.contains($0.difference) }
        return Dictionary(classes.map { ($0.difference, $0.count) }, uniquingKeysWith: +)
    }

    private func expectAgreement(
        _ audit: LiveAudit, atLeast frames: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            audit.results.frames.disagreeing == 0 && audit.results.disagreeingStacks == 0,
            sourceLocation: sourceLocation)
        #expect(
            audit.classes.filter { !$0.difference.isKnown }.map(\.example?.rule) == [], sourceLocation: sourceLocation)
        #expect(audit.results.frames.agreeing >= frames * settled(audit) / 2, sourceLocation: sourceLocation)
        #expect(audit.results.frames.agreement == 1, sourceLocation: sourceLocation)
    }

    /// Every stack agrees to its outermost frame: there is no class of differences at all.
    @Test(arguments: ["alloca.c", "realigned.c", "signal-altstack.c", "longjmp.c", "signal-leaf.c"])
    func programsThatStay(source: String) throws {
        let audit = try audit(.spinning(source))
        // A handler's own stack is in the snapshot; what it interrupted isn't.
        if source == "signal-altstack.c" {
            #expect(Array(differences(audit).keys) == [.memoryMissing])
            #expect(audit.results.frames.disagreeing == 0 && audit.results.frames.agreeing > 0)
        } else {
            #expect(differences(audit) == [:])
            expectAgreement(audit, atLeast: 4)
        }
    }

    /// All instructions of functions, prologues included.
    @Test func programThatWorks() throws {
        let audit = try audit(.repeating("alloca.c"), stacks: 400)
        expectAgreement(audit, atLeast: 3)
    }

    @Test func sharesOfSamples() throws {
        let audit = try audit(.spinning("alloca.c"), stacks: 10, every: 7)
        expectAgreement(audit, atLeast: 60)
    }

    @Test func stackLargerThanASnapshot() throws {
        let audit = try audit(.spinning("large-stack.c"))
        #expect(Array(differences(audit).keys) == [.snapshotEnds])
        #expect(differences(audit).values.allSatisfy { $0 > settled(audit) / 2 })
        // 64 KiB, and up to a page more.
        expectAgreement(audit, atLeast: 55)
        #expect(audit.results.frames.agreeing <= 70 * audit.stackCount)
    }

    // MARK: Finished stacks

    @Test func framesFoundInUserSpaceAreCompared() throws {
        let audit = try audit(.binding(), finishes: true) { $0.results.finishedFrames.agreeing >= 100 }
        #expect(audit.results.finishedFrames.agreement == 1 && audit.results.frames.agreement == 1)
        #expect(audit.results.disagreeingStacks == 0 && audit.finishedStacks > 10)
        #expect(audit.results.frames.agreeing > 0)
        #expect(!audit.classes.contains { !$0.difference.isKnown }, "\(audit.classes)")
        // libdw may lose rbx, but not in most stacks.
        #expect(2 * (differences(audit)[.referenceRegisters] ?? 0) < audit.finishedStacks)
    }

    /// Programs that end before their mappings are read: their stacks are known by what the kernel reported.
    @Test func stacksOfShortProgramsAreCompared() throws {
        let shell = try LiveProgram(["/bin/sh", "-c", "while :; do /bin/true; done"])
        let audit = try audit(shell, finishes: true) { $0.results.finishedFrames.agreeing >= 20 }
        #expect(audit.results.finishedFrames.agreement == 1, "\(audit.classes)")
    }

    /// Each finished stack has one wrong frame, by one byte.
    @Test func wrongFrameOfUserSpaceIsFound() throws {
        let audit = try audit(.binding(), finishes: true, observing: WrongFrames.init) {
            $0.results.finishedFrames.disagreeing >= 20
        }
        #expect(audit.results.disagreeingStacks == audit.results.finishedFrames.disagreeing)
        #expect(audit.results.frames.disagreeing == 0 && audit.results.frames.agreement == 1)
        let found = try #require(audit.classes.first { $0.difference == .disagreement })
        #expect(found.isFinished)
        let example = try #require(found.example)
        #expect(example.kernel != example.reference && example.referenceRow.hasPrefix("CFA = "))
    }

    // MARK: Wrong tables

    /// The kernel gets the table of another file, which has the same code, and one row with a wrong CFA.
    @Test func wrongRuleIsFound() throws {
        let fixture = try Fixture()
        let compile = ["gcc"] + LiveProgram.optimised + ["-DSPIN_AT=1", "-o"]
        let source = LiveProgram.sources + "/large-stack.c"
        try run(words: compile + ["program.s", "-S", source], in: fixture.directory)
        let assembly = try String(contentsOfFile: fixture.directory + "/program.s", encoding: .utf8)
        let body = try #require(assembly.range(of: "descend:"))
        let rule = try #require(
            assembly.range(
                of: #"\.cfi_def_cfa_offset [0-9]{4}"#, options: .regularExpression,
                range: body.upperBound..<assembly.endIndex))
        try fixture.write(
            Array(assembly.replacingCharacters(in: rule, with: ".cfi_def_cfa_offset 512").utf8), to: "wrong.s")
        for name in ["program", "wrong"] {
            try run(words: ["gcc", "-Wl,-z,now", "-o", name, name + ".s"], in: fixture.directory)
        }
        let path = fixture.directory + "/program"
        let supply = try WrongTable(of: fixture.directory + "/wrong", for: ELFImage(path: path))
        let audit = try audit(LiveProgram(fixture, "program"), tables: supply)
        #expect(
            audit.results.disagreeingStacks > settled(audit) / 2
                && audit.results.frames.disagreeing == audit.results.disagreeingStacks)
        #expect(audit.results.frames.agreement.map { $0 < 0.9 } ?? false)
        let found = try #require(audit.classes.first { $0.difference == .disagreement })
        let example = try #require(found.example)
        #expect(found.count == audit.results.disagreeingStacks)
        #expect(example.rule.hasPrefix("CFA = rsp+512,") && example.referenceRow.hasPrefix("CFA = rsp+1"))
        #expect(example.ruleMeaning != example.referenceMeaning && example.path == path)
        #expect(example.registers.contains { $0.name == "rsp" } && example.memory.count == 8)
        #expect(example.kernel != example.reference)
    }
}

/// Shows an audit finished stacks with a wrong frame.
private final class WrongFrames: SampleObserver {
    private let audit: LiveAudit

    init(_ audit: LiveAudit) { self.audit = audit }

    func note(_ stack: ObservedStack) {
        var stack = stack
        if stack.isFinished, let index = stack.frames.firstIndex(where: \.isFinished) {
            stack.frames[index] = stack.frames[index].moved(to: stack.frames[index].pc + 1)
        }
        audit.note(stack)
    }
}

/// Supplies one image with the table of another one.
private final class WrongTable: TableSupply, @unchecked Sendable {
    let threads = 1
    private let right = CompilingSupply(store: nil, debugFiles: nil)
    private let wrong: ELFImage
    private let buildID: [UInt8]

    init(of path: String, for image: ELFImage) throws {
        wrong = try ELFImage(path: path)
        buildID = try #require(try image.buildID())
    }

    func request(_ image: ELFImage) -> any TableRequest {
        guard (try? image.buildID()) == buildID else { return right.request(image) }
        return Request(image, right.request(wrong))
    }

    func finish() -> [String] { right.finish() }

    private final class Request: TableRequest, @unchecked Sendable {
        let image: ELFImage
        let other: any TableRequest

        init(_ image: ELFImage, _ other: any TableRequest) { (self.image, self.other) = (image, other) }

        var key: Result<TableSource.Key, any Error> { other.key }
        var isFound: Bool { other.isFound }
        func contentKey() throws -> TableSource.Key { try other.contentKey() }
        func withTable<Value>(_ body: (TableView) throws -> Value) throws -> Value { try other.withTable(body) }
    }
}

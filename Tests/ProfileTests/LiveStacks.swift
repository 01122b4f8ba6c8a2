import CUnwindTable
import Foundation
@testable import KernelUnwinder
@testable import Profile
import TableCompiler
import TestFixtures
import Testing
import UnwindTable

/// Sampled stacks, with names.
struct LiveStacks {
    struct Live {
        var stack: Stacks.Stack
        var count: Int
        /// User functions, innermost first.
        var functions: [String]
        /// Kernel functions, innermost first.
        var kernelFunctions: [String]

        var innermost: String { functions.first ?? "" }
        var outermost: String { functions.last ?? "" }
        var depth: Int { functions.count }
        var guessed: Int { stack.userFrames.count { $0.isGuessed } }
        /// Whether rules alone led to the outermost frame.
        var isComplete: Bool { stack.outcome == .complete }
        /// Whether the thread was ending, and had given up its memory: only its kernel frames are left.
        var hasNoUserCode: Bool {
            stack.end.code == CFIC_STEP_NO_USER_CODE.rawValue && isComplete && stack.userFrames.isEmpty
                && !kernelFunctions.isEmpty
        }
        /// Whether the kernel was about to copy a page that two processes share since a fork, because one of them wrote
        /// to it. It unmaps the page first, and until the copy is mapped, nothing on the page can be read. Children
        /// write to pages of stacks first.
        var isWhileAPageIsCopied: Bool {
            [CFIC_STEP_UNREADABLE_CFA, CFIC_STEP_UNREADABLE_RETURN_ADDRESS, CFIC_STEP_UNREADABLE_FRAME_POINTER]
                .map(\.rawValue).contains(stack.end.code)
                && !Set(kernelFunctions).isDisjoint(with: ["do_wp_page_[k]", "wp_page_copy_[k]"])
        }
        /// Whether the kernel was about to start or finish a signal handler. It writes the thread's saved registers one
        /// by one, and a sample taken meanwhile may have the stack pointer of one frame and the program counter of
        /// another.
        var isWhileASignalChangesRegisters: Bool {
            !Set(kernelFunctions).isDisjoint(with: [
                "x64_setup_rt_frame_[k]", "setup_rt_frame_[k]", "handle_signal_[k]", "restore_sigcontext_[k]",
                "__do_sys_rt_sigreturn_[k]", "__x64_sys_rt_sigreturn_[k]",
            ])
        }
        /// Outermost first, separated by semicolons.
        var text: String { functions.reversed().joined(separator: ";") }
    }

    var all: [Live] = []
    let recorder: Recorder

    var count: Int { all.reduce(0) { $0 + $1.count } }

    /// Samples a program and its children until there are enough samples, for at most ten minutes.
    ///
    /// - Parameters:
    ///   - others: children that already exist.
    ///   - functions: each of them has to be innermost in 20 samples.
    ///   - infers: whether code without call frame information gets the rules that its instructions prove.
    ///   - isEnough: whether a stack counts.
    init(
        of program: LiveProgram, _ others: [Int32] = [], options: KernelUnwinder.Options = .init(), count: Int = 25,
        atLeast seconds: Double = 0.05, inEachOf functions: [String] = [], infers: Bool = true,
        isEnough: (Live) -> Bool = { _ in true }
    ) throws {
        let unwinder = try KernelUnwinder(
            tables: CompilingSupply(store: nil, options: TableOptions(infers: infers)), options)
        recorder = Recorder(unwinder)
        try unwinder.watchProcesses()
        for process in [program.id] + others { try recorder.add(process) }
        try unwinder.start(.clock, frequency: 1999)
        let start = ContinuousClock.now
        var next = start.advanced(by: .seconds(seconds))
        while ContinuousClock.now - start < .seconds(600) {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
            guard ContinuousClock.now > next else { continue }
            // Most of the time is for reading samples: snapshots get lost meanwhile.
            let taken = ContinuousClock().measure { name() }
            next = ContinuousClock.now.advanced(by: taken * 10)
            let isEverywhere = functions.allSatisfy { samples(in: $0) >= 20 }
            if isEverywhere, all.filter(isEnough).reduce(0, { $0 + $1.count }) >= count { break }
        }
        unwinder.stop()
        try recorder.collect()
        name()
        unwinder.close()
    }

    private mutating func name() { all = Self.named(recorder) }

    static func named(_ recorder: Recorder) -> [Live] {
        // Names don't depend on which debug files are installed.
        let symbolizer = Symbolizer(recorder.processes, demangles: false, debugFiles: nil)
        return recorder.stacks.counts.map { stack, count in
            Live(
                stack: stack, count: count,
                functions: stack.userFrames.map { symbolizer.name(of: $0, in: stack.space) },
                kernelFunctions: stack.kernelFrames.map(symbolizer.kernelName))
        }
    }

    /// Stacks with this innermost function.
    func inside(_ function: String) -> [Live] { all.filter { $0.innermost == function } }

    private func samples(in function: String) -> Int { inside(function).reduce(0) { $0 + $1.count } }

    /// Expects that every stack in a function matches, and was unwound by rules alone.
    func expect(
        in function: String, _ pattern: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = inside(function)
        #expect(
            found.reduce(0) { $0 + $1.count } >= 20, "few samples in \(function): \(all.prefix(3).map(\.text))",
            sourceLocation: sourceLocation)
        let regex = try Regex("^" + pattern + "$")
        for live in found {
            #expect(live.isComplete, "\(live.stack.end): \(live.text)", sourceLocation: sourceLocation)
            #expect(try regex.wholeMatch(in: live.text) != nil, "\(live.text)", sourceLocation: sourceLocation)
        }
    }

    /// The callers of main. On some systems, the C library's functions in between have symbols.
    static let start = "_start;__libc_start_main[^;]*;[^;]+;main"
}

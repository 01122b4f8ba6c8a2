import Testing
import UnwindTable
import Validation

/// Compares stacks of core dumps by our tables with libdw's unwinder: all frames agree, or the difference is explained
/// here.
@Suite(.enabled(if: CoreProgram.isForThisMachine, "the programs are for x86-64"))
struct CoreValidationTests {
    /// Functions called by the dynamic linker's lazy binding. _dl_runtime_resolve has its CFA in rbx, which is known
    /// only if it is the innermost frame: tables track stack and frame pointer from frame to frame, libdw all
    /// registers.
    private static let belowTheResolver = [
        "lazy-plt": ["fixup", "fixup-further", "symbol-search"], "cpp-exceptions": ["search-further"],
        "cpp-exceptions-by-clang": ["search-further"],
    ]

    @Test(arguments: CoreProgram.all)
    func everyFrameIsWhatTheReferenceSays(program: CoreProgram) throws {
        let dumps = try CoreDumps(of: program)
        for core in dumps.cores {
            let validation = try CoreValidation(core: core.path, ModuleSearch())
            #expect(validation.problems == [], "\(core.name)")
            #expect(!validation.threads.isEmpty, "\(core.name)")
            let isBelowTheResolver = Self.belowTheResolver[program.name]?.contains(core.name) ?? false
            for thread in validation.threads {
                #expect(thread.difference == nil, "\(core.name)")
                #expect(thread.agreeing == thread.frames.count, "\(core.name)")
                #expect(thread.known == (isBelowTheResolver ? .needsRegisters : nil), "\(core.name)")
                #expect(thread.isComplete == !isBelowTheResolver, "\(core.name): \(thread.end)")
            }
            // eu-stack finds as many threads and, if libdw reaches the end, as many frames.
            let stacks = try CoreStacks(core.path, of: dumps).threads
            #expect(
                stacks.map(\.count).sorted() == validation.threads.map { $0.agreeing + $0.further }.sorted(),
                "\(core.name)")
        }
    }
}

/// Functions where a stack ends, and functions for whose callers there is no rule.
extension GoFunctionTable {
    /// Whether a function's frame is the outermost one that can be found from it.
    ///
    /// - A goroutine's first function returns to `goexit`, which nothing called; the other marked functions begin threads.
    /// - `mcall` and `systemstack` switch to the thread's own stack, and what they call there is called by nothing else on
    ///   that stack. Where the goroutine's stack goes on, only the runtime's structures tell.
    ///
    /// The runtime marks its signal handler, too, but the frame that the signal interrupted follows it.
    func isOutermost(_ function: Function) -> Bool {
        function.isMarkedOutermost && !section.isString("runtime.sigtramp", at: function.name)
            || Self.outermost.contains { section.isString($0, at: function.name) }
    }

    /// Whether a function moves the stack pointer elsewhere than its stack depths say. Before Go 1.17, functions have no mark.
    func switchesStacks(_ function: Function) -> Bool {
        function.writesStackPointer || Self.switching.contains { section.isString($0, at: function.name) }
    }

    private static let outermost: [StaticString] = [
        "runtime.goexit", "runtime.mstart", "runtime.rt0_go", "runtime.mcall", "runtime.systemstack",
        "_rt0_amd64_linux", "_rt0_arm64_linux", "_rt0_amd64",
    ]

    private static let switching: [StaticString] = [
        "runtime.asmcgocall", "runtime.cgocallback", "runtime.cgocallback_gofunc", "runtime.gogo", "runtime.morestack",
        "runtime.morestack_noctxt", "runtime.sigreturn", "runtime.sigreturn__sigaction", "runtime.nanotime1",
        "runtime.walltime", "runtime.walltime1", "time.now", "gogo",
    ]
}

import Foundation
import TestFixtures
import Testing

/// Samples processes of the core dump tests' executables while they stay where those tests stop them. Every stack is
/// complete, ends at the expected outermost function, and has the frames in the expected order.
///
/// A process can't stay at single instructions of prologues, in the resolver of lazy binding, or in vfork itself.
/// `RepeatedStackTests` has samples of most of these.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct LiveStackTests {
    private func expect(
        _ program: LiveProgram, in function: String = "stop_here", _ pattern: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let stacks = try LiveStacks(of: program) { $0.innermost == function }
        try stacks.expect(in: function, pattern, sourceLocation: sourceLocation)
    }

    @Test(arguments: ["gcc", "clang"])
    func recursion(compiler: String) throws {
        try expect(
            .spinning("c-recursion.c", by: compiler),
            LiveStacks.start + "(;next;(bare|buffer|registers|arguments|large)){100};next;stop_here")
    }

    @Test(arguments: ["gcc", "clang"])
    func framesOfSizesOfRunTime(compiler: String) throws {
        try expect(
            .spinning("alloca.c", by: compiler),
            LiveStacks.start + "(;next;(in_a_loop|variable_length|in_a_block)){60};next;stop_here")
    }

    @Test(arguments: ["gcc", "clang"])
    func realignedStacks(compiler: String) throws {
        try expect(
            .spinning("realigned.c", by: compiler),
            LiveStacks.start + "(;next;(plainly|with_arguments|with_alloca|with_vectors)){40};next;stop_here")
    }

    @Test func functionThatWasBoundLazily() throws {
        let fixture = try Fixture()
        let sources = LiveProgram.sources
        try run(
            words: ["gcc"] + LiveProgram.optimised
                + ["-DSPIN_AT=1", "-shared", "-fPIC", "-o", "liblazy.so", "\(sources)/lazy-plt-library.c"],
            in: fixture.directory)
        try run(
            words: ["gcc"] + LiveProgram.optimised
                + ["-DSPIN_AT=1", "-Wl,-z,lazy", "-o", "program", "\(sources)/lazy-plt.c"]
                + ["-L.", "-llazy", "-Wl,-rpath,$ORIGIN"],
            in: fixture.directory)
        try expect(
            LiveProgram(fixture, "program"), LiveStacks.start + "(;descend){21};bound_lazily;stop_here")
    }

    @Test func functionThatLongjmpCameBackTo() throws {
        try expect(.spinning("longjmp.c"), LiveStacks.start + "(;descend){21};come_back;stop_here")
    }

    /// A separate process that runs on its parent's stack.
    @Test func childOfVfork() throws {
        let program = try LiveProgram.spinning("vfork-child.c")
        let child = try program.child()
        let stacks = try LiveStacks(of: program, [child]) { $0.innermost == "stop_here" }
        #expect(stacks.inside("stop_here").allSatisfy { $0.stack.space.process == child })
        try stacks.expect(in: "stop_here", LiveStacks.start + "(;make_child){21}(;child){6};stop_here")
    }

    @Test func staticProgram() throws {
        try expect(
            .spinning("static-pie.c", flags: ["-static-pie"]),
            "_start;__libc_start_main[^;]*;__libc_start_call_main;main"
                + "(;sort;[^;]+(;msort_with_tmp[^;]*)*;compare|;sort;compare)+"
                + ";(raise|gsignal)(;[^;]+)*;handler;stop_here")
    }

    @Test(arguments: [
        (1, "leaf_first_instruction"), (2, "leaf_middle"), (3, "leaf_behind_pushes"), (4, "leaf_red_zone"),
    ])
    func leafThatASignalInterrupted(call: Int, leaf: String) throws {
        try expect(
            .spinning("signal-leaf.c", at: call),
            LiveStacks.start + "(;fault){11};\(leaf);[^;]+;handler(;handle_deeper){4};stop_here")
    }

    @Test func callThatNeverReturns() throws {
        try expect(
            .spinning("signal-leaf.c", at: 5),
            LiveStacks.start + "(;fault){11};ends_in_a_call;never_returns;stop_here")
    }

    @Test(arguments: [
        (1, ";first_handler;stop_here"), (2, ";first_handler;[^;]+;second_handler(;handle_deeper){5};stop_here"),
    ])
    func handlersOnAnAlternateStack(call: Int, end: String) throws {
        try expect(.spinning("signal-altstack.c", at: call), LiveStacks.start + "(;descend){31};leaf;[^;]+" + end)
    }

    @Test func threadsOfAProgram() throws {
        let program = try LiveProgram.spinning("threads.c", flags: ["-pthread"])
        let stacks = try LiveStacks(of: program, inEachOf: ["stop_here", "spin"])
        try stacks.expect(in: "stop_here", LiveStacks.start + ";stop_here")
        try stacks.expect(in: "spin", "[^;]+;[^;]+;start(;descend){81};spin")
        #expect(Set(stacks.all.map(\.stack.space.process)) == [program.id])
    }

    @Test(arguments: ["g++", "clang++"])
    func destructorWhileAnExceptionPasses(compiler: String) throws {
        try expect(
            .spinning("cpp-exceptions.cpp", by: compiler),
            LiveStacks.start + "(;_ZL4turn[^;]+;_ZN[^;]+5visitEi)+;_ZN5GuardD[12]Ev;_Z17inside_destructor[^;]+"
                + ";stop_here")
    }

    @Test func tasksOfSwift() throws {
        let fixture = try Fixture()
        try run(
            words: [
                "swiftc", "-O", "-DSPIN", "-parse-as-library", "-static-stdlib", "-module-name", "program",
                "-module-cache-path", "modules", "-o", "program", "\(LiveProgram.sources)/swift-async.swift",
            ], in: fixture.directory)
        let stacks = try LiveStacks(of: LiveProgram(fixture, "program")) { $0.innermost == "stop_here" }
        try stacks.expect(in: "stop_here", "[^;]+;[^;]+;.*7Counter.*4Step.*;stop_here")
        for live in stacks.inside("stop_here") { #expect(live.functions.count { $0.contains("4Step") } >= 80) }
    }

    @Test func interpreterOfPython() throws {
        let program = try LiveProgram(
            ["/usr/bin/python3", "-I", "-S", "-B", LiveProgram.sources + "/recursion.py", "spin"])
        let stacks = try LiveStacks(of: program, count: 100) { $0.depth > 60 }
        for live in stacks.all where live.depth > 60 {
            #expect(live.isComplete, "\(live.stack.end): \(live.text)")
            #expect(live.outermost == "_start" || live.outermost.hasPrefix("[python3.11]+"), "\(live.text)")
            #expect(live.functions.count { $0 == "_PyEval_EvalFrameDefault" } >= 25)
        }
        #expect(stacks.all.filter { $0.depth > 60 }.reduce(0) { $0 + $1.count } >= 50)
    }
}

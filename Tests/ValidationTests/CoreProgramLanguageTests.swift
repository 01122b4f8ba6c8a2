import Testing

/// Like CoreProgramTests, for stacks with signals, threads, other languages and assembly.
@Suite(.enabled(if: CoreProgram.isForThisMachine, "the programs are for x86-64"))
struct CoreProgramLanguageTests {
    @Test func handlersInterruptedLeafFunctions() throws {
        let stacks = try CoreDumps(of: .signalLeaf).stacks()
        let leaves = [
            "first-instruction": "leaf_first_instruction", "middle": "leaf_middle",
            "behind-pushes": "leaf_behind_pushes", "red-zone": "leaf_red_zone",
        ]
        for (stop, leaf) in leaves {
            let functions = try #require(stacks[stop]?.functions)
            #expect(functions.first == "stop_here" && functions.last == "_start", "\(stop)")
            let handler = try #require(functions.firstIndex(of: "handler"))
            // The signal restorer is between the two.
            #expect(functions[(handler + 2)...].prefix(3) == [leaf, "fault", "fault"], "\(stop)")
        }
        let functions = try #require(stacks["call-that-never-returns"]?.functions)
        #expect(functions.prefix(4) == ["stop_here", "never_returns", "ends_in_a_call", "fault"])
        #expect(functions.last == "_start")
        // The same address is a return address in one stack and an interrupted instruction in the other.
        let frames = stacks["call-that-never-returns"]?.frames, others = stacks["first-instruction"]?.frames
        let returned = frames?.first { $0.function == "ends_in_a_call" }?.pc
        #expect(returned != nil && returned == others?.first { $0.function == "leaf_first_instruction" }?.pc)
    }

    @Test func handlersOnAnAlternateStackAreInterrupted() throws {
        let stacks = try CoreDumps(of: .signalAltstack).stacks()
        let first = try #require(stacks["handler"]?.functions)
        #expect(first.prefix(2) == ["stop_here", "first_handler"])
        #expect(first[3...].prefix(2) == ["leaf", "descend"])
        #expect(first.last == "_start" && first.count > 35)
        let second = try #require(stacks["handler-in-handler"]?.functions)
        let handler = try #require(second.firstIndex(of: "second_handler"))
        #expect(second[handler + 2] == "first_handler" && second[handler + 4] == "leaf")
        #expect(second.last == "_start" && second.count > first.count)
    }

    @Test func eightThreadsWaitInStacksOfTheirOwn() throws {
        let threads = try #require(try CoreDumps(of: .threads).stacks()["stop_here"]?.threads)
        #expect(threads.count == 9)
        #expect(threads.first?.first?.function == "stop_here")
        let ends = [
            "wait_for_condition", "wait_for_lock", "wait_for_pipe", "sleep_long", "handle_signal", "sort",
            "wait_for_thread", "spin",
        ]
        for (number, end) in ends.enumerated() {
            let functions = threads.map { $0.map(\.function) }.filter { $0.contains(end) && $0.contains("start") }
            let depths = functions.map { $0.count { $0 == "descend" } }
            #expect(depths.contains(10 * (number + 1) + 1), "\(end): \(depths)")
        }
    }

    @Test(arguments: [CoreProgram.cppExceptions, .cppExceptionsByClang])
    func exceptionsAreStoppedOnTheirWay(program: CoreProgram) throws {
        let stacks = try CoreDumps(of: program).stacks().mapValues(\.functions)
        for (stop, functions) in stacks {
            #expect(functions.last == "_start" && functions.count > 35, "\(stop): \(functions)")
        }
        for stop in ["search", "search-further", "clean-up"] {
            let functions = try #require(stacks[stop])
            let index = try #require(functions.firstIndex(of: "__gxx_personality_v0"), "\(stop)")
            #expect(functions[index...].contains("_Unwind_RaiseException"), "\(stop)")
            #expect(functions.contains("__cxa_throw"), "\(stop)")
        }
        for stop in ["search", "clean-up"] { #expect(stacks[stop]?.first == "__gxx_personality_v0", "\(stop)") }
        let destructor = try #require(stacks["destructor"])
        #expect(destructor[1].hasPrefix("inside_destructor") && destructor[2].contains("~Guard"))
        #expect(destructor[3] == "Guarding::visit(int)")
        #expect(stacks["resume"]?.prefix(2) == ["_Unwind_Resume", "Guarding::visit(int)"])
        #expect(stacks["handler"]?.prefix(2) == ["stop_here", "Catching::visit(int)"])
        #expect(stacks["rethrow"]?.prefix(2) == ["__cxa_rethrow", "Catching::visit(int)"])
    }

    @Test func swiftTasksAreStoppedInDeepRecursion() throws {
        let stacks = try CoreDumps(of: .swiftAsync).stacks()
        let functions = try #require(stacks["stop_here"]?.functions)
        #expect(functions.first == "stop_here")
        #expect(functions.count { $0.contains("4Step") } >= 80)
        #expect(functions.contains { $0.contains("7Counter") })
        #expect(functions.contains { $0.hasPrefix("swift::runJob") })
        #expect(stacks["swift_task_switch"]?.functions.first == "swift_task_switch")
    }

    @Test func pythonIsStoppedInAFunctionOfTheMathematicalLibrary() throws {
        let frames = try #require(try CoreDumps(of: .python).stacks()["erf"]?.frames)
        #expect(frames.first?.file.hasPrefix("libm") == true)
        #expect(frames.count > 150 && frames.last?.function == "_start")
        #expect(frames.count { $0.function == "_PyEval_EvalFrameDefault" } > 30)
    }

    @Test func assemblyHasCFAsInRegistersAndInMemory() throws {
        let cfas = try CoreDumps(of: .handWritten).innermostCFAs()
        let first = ["digest-0": "rsp+8", "digest-1": "rax+8", "digest-7": "rax+8"]
        let loop = ["digest-8": "exp", "digest-12": "exp", "digest-13": "rsp+8", "digest-15": "rsp+16"]
        let last = ["leaves-0": "exp", "leaves-1": "rsi+8", "leaves-6": "rsi+8", "leaves-7": "rsp+8"]
        for (stop, cfa) in [first, loop, last].joined() { #expect(cfas[stop] == cfa, "\(stop): \(cfas)") }
    }

    @Test func everyInstructionOfAssemblyLeadsToItsCallers() throws {
        let dumps = try CoreDumps(of: .handWritten)
        #expect(dumps.cores.count == 39)
        for core in dumps.cores {
            let functions = try CoreStacks(core.path, of: dumps).functions
            // The helper has no symbol.
            let digest = functions.first == "" ? Array(functions.dropFirst()) : functions
            #expect(digest.first == "digest" && digest.last == "_start", "\(core.name): \(functions)")
            #expect(digest.dropFirst().prefix { $0 == "descend" }.count == 21, "\(core.name): \(functions)")
        }
    }
}

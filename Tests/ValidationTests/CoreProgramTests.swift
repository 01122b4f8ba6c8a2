import Testing

/// Core dumps have the stacks that their names state.
@Suite(.enabled(if: CoreProgram.isForThisMachine, "the programs are for x86-64"))
struct CoreProgramTests {
    /// The stopped thread's functions in each core dump, innermost first. All these stacks must end at the entry point.
    private func stacks(of dumps: CoreDumps) throws -> [String: [String]] {
        let stacks = try dumps.stacks().mapValues(\.functions)
        for (stop, functions) in stacks { #expect(functions.last == "_start", "\(stop): \(functions)") }
        return stacks
    }

    @Test(arguments: [CoreProgram.cRecursion, .cRecursionByClang])
    func recursionIsTwoHundredDeep(program: CoreProgram) throws {
        let stacks = try stacks(of: CoreDumps(of: program))
        let deepest = try #require(stacks["stop_here"])
        #expect(deepest.first == "stop_here")
        #expect(deepest.count > 200)
        for name in ["bare", "buffer", "registers", "arguments", "large"] { #expect(deepest.contains(name), "\(name)") }
        for name in ["large", "registers", "arguments"] { #expect(stacks[name]?.first == name) }
        #expect(stacks["registers-pushed"]?.first == "registers")
        let returning = try #require(stacks["return"]?.count)
        #expect(returning < deepest.count)
        #expect(stacks["returned"]?.count == returning - 1)
    }

    @Test(arguments: [CoreProgram.alloca, .allocaByClang])
    func framesHaveSizesOfRunTime(program: CoreProgram) throws {
        let functions = try #require(try stacks(of: CoreDumps(of: program))["stop_here"])
        #expect(functions.first == "stop_here")
        #expect(functions.count > 120)
        for name in ["in_a_loop", "variable_length", "in_a_block"] { #expect(functions.contains(name), "\(name)") }
    }

    @Test(arguments: [CoreProgram.realigned, .realignedByClang])
    func realignedStacksAreStoppedInPrologues(program: CoreProgram) throws {
        let stacks = try stacks(of: CoreDumps(of: program))
        for (stop, functions) in stacks where stop.hasPrefix("realigning") || stop == "with_alloca" {
            #expect(functions.first == "with_alloca", "\(stop)")
        }
        let deepest = try #require(stacks["stop_here"])
        #expect(deepest.first == "stop_here")
        #expect(deepest.count > 80)
        for name in ["plainly", "with_arguments", "with_alloca"] { #expect(deepest.contains(name), "\(name)") }
    }

    /// In gcc's code the CFA is first relative to the stack pointer, then in a register, then in memory, and back.
    @Test func realignedStacksHaveCFAsByExpressions() throws {
        let cfas = try CoreDumps(of: .realigned).innermostCFAs()
        #expect(cfas["with_alloca"] == "rsp+8" && cfas["realigning-1"] == "r10+0" && cfas["realigning-12"] == "exp")
        #expect(cfas["restoring"] == "r10+0" && cfas["restored"] == "rsp+8")
    }

    @Test func lazyBindingIsStoppedInStubAndResolver() throws {
        let dumps = try CoreDumps(of: .lazyPLT)
        var innermost: [String: [String]] = [:]
        for core in dumps.cores {
            let frames = try CoreStacks(core.path, of: dumps).frames
            innermost[core.name] = frames.prefix(4).map { $0.file.hasPrefix("ld-linux") ? "ld.so" : $0.function }
            // libdw loses rbx, which contains the resolver's CFA, at the first instruction of the function that it
            // calls.
            if core.name != "fixup" {
                #expect(frames.last?.function == "_start", "\(core.name)")
                #expect(frames.count > 20, "\(core.name)")
            }
        }
        for stop in ["stub", "stub-push", "stub-pushed", "first-stub", "first-stub-pushed"] {
            #expect(innermost[stop]?[1...2] == ["descend", "descend"], "\(stop)")
        }
        for (stop, frames) in innermost where stop.hasPrefix("resolver") {
            #expect(frames[0...1] == ["ld.so", "descend"], "\(stop)")
        }
        for stop in ["fixup", "fixup-further", "symbol-search"] {
            #expect(innermost[stop]?[0...1] == ["ld.so", "ld.so"], "\(stop)")
        }
        #expect(innermost["stop_here"]?.prefix(3) == ["stop_here", "bound_lazily", "descend"])

        let cfas = try dumps.innermostCFAs()
        #expect(cfas["stub"] == "exp" && cfas["stub-pushed"] == "exp")
        #expect(cfas["first-stub"] == "rsp+16" && cfas["first-stub-pushed"] == "rsp+24")
        #expect(cfas["resolver"] == "rsp+24" && cfas["resolver-pushed-rbx"] == "rsp+32")
        for stop in ["moved-to-rbx", "aligned", "with-frame", "calls"] {
            #expect(cfas["resolver-" + stop] == "rbx+32", "\(stop)")
        }
    }

    @Test func longjmpIsStoppedBetweenTwoStacks() throws {
        let dumps = try CoreDumps(of: .longjmp)
        let stacks = try stacks(of: dumps)
        #expect(stacks["longjmp"]?[1...2] == ["jump", "jump"])
        for stop in ["before-rbx", "after-rbx", "after-r14", "jump"] {
            #expect(stacks[stop]?[1...2] == ["come_back", "descend"], "\(stop)")
        }
        #expect(stacks["landed"]?.prefix(2) == ["come_back", "descend"])
        #expect(stacks["stop_here"]?.prefix(3) == ["stop_here", "come_back", "descend"])
        #expect(stacks["landed"].map { $0.count > 20 } == true)
        #expect(try dumps.innermostCFAs()["after-rbx"] == "rdi+0")
    }

    @Test func vforkIsStoppedInParentAndChild() throws {
        let stacks = try stacks(of: CoreDumps(of: .vforkChild))
        for stop in ["vfork", "popped", "system-call", "child-in-vfork", "child-pushed"] {
            #expect(stacks[stop]?[1...2] == ["make_child", "make_child"], "\(stop)")
        }
        #expect(stacks["stop_here"]?.prefix(3) == ["stop_here", "child", "child"])
        #expect(stacks["stop_here"].map { $0.count > 25 } == true)
    }

    @Test func staticProgramIsStoppedInASignalHandlerBelowItsSort() throws {
        let functions = try #require(try stacks(of: CoreDumps(of: .staticPIE))["stop_here"])
        #expect(functions.prefix(2) == ["stop_here", "handler"])
        #expect(functions.count > 60)
        #expect(functions.contains { $0.hasPrefix("msort") } && functions.contains("compare"))
    }

    @Test func kernelsCodeInUserSpaceIsInnermost() throws {
        let dumps = try CoreDumps(of: .vdso)
        for (stop, stack) in try dumps.stacks() {
            #expect(stack.functions.prefix(3) == ["__vdso_clock_gettime", "clock_gettime", "descend"], "\(stop)")
            #expect(stack.frames.count > 20 && stack.functions.last == "_start", "\(stop)")
        }
        // No file has its rows.
        #expect(try dumps.innermostCFAs() == [:])
    }
}

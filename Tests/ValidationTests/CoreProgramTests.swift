import Testing

/// Cores are of the stacks that they are said to be of.
@Suite struct CoreProgramTests {
    @Test func cRecursion() throws {
        let dumps = try CoreDumps(of: .cRecursion)
        let functions = try CoreStacks(dumps.core("stop_here"), of: dumps).functions
        #expect(functions.first == "stop_here")
        #expect(functions.count > 200)
        for name in ["bare", "buffer", "registers", "arguments", "large", "main"] {
            #expect(functions.contains(name), "\(name)")
        }
        #expect(functions.last == "_start")
    }
}

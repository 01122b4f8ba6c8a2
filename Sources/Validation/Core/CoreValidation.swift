import CUnwindTable
import ELF
import UnwindTable

/// Compares the stacks of a core dump's threads, as walked with our tables and by libdwfl's unwinder.
public struct CoreValidation: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public var threads: [ThreadValidation] = []
    /// Files that could not be used, with the reasons. Stacks end where these files are needed.
    public var problems: [String] = []
    public var moduleCount = 0

    public var disagreementCount: Int { threads.count { $0.difference != nil } }

    /// - Throws: `ELFError`; ``Failure`` for a machine without tables; an error with libdwfl's message.
    public init(core path: String, _ search: ModuleSearch = ModuleSearch()) throws {
        let core = try CoreFile(path: path)
        guard let machine = TableMachine(rawValue: core.machine) else {
            throw Failure(
                description: "\(path): machine \(core.image.machine.name) is not supported; x86-64 and aarch64 are")
        }
        let (modules, problems) = search.modules(of: core)
        self.problems = problems
        moduleCount = modules.count
        let reference = try ReferenceProcess(core, modules, machine)
        for thread in reference.threads() {
            let walk = TableWalk(
                core, modules, machine, registers: thread.registers, pc: thread.frames.first?.pc ?? 0,
                addressBits: core.addressBits)
            threads.append(ThreadValidation(walk, thread, core, modules))
        }
    }
}

import ArgumentParser
import KernelUnwinder

/// The option of commands that load tables into the kernel.
struct MemoryOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Kernel memory for tables and mappings (default: 256M); if tables need more, those in use stay.",
            valueName: "size"))
    var memory: ByteSize?

    func validate() throws {
        guard let memory else { return }
        guard KernelUnwinder.Options.tableBudgets.contains(memory.bytes) else {
            throw ValidationError("--memory takes a size from 4M to 4G.")
        }
    }

    /// In bytes; nil for the default.
    var budget: Int? { memory?.bytes }
}

/// A number of bytes, such as `512K`, `64M` or `1G`.
struct ByteSize: ExpressibleByArgument, Equatable {
    var bytes: Int

    init?(argument: String) {
        let units: [Character: Int] = ["K": 10, "M": 20, "G": 30]
        let shift = argument.last.flatMap { units[Character($0.uppercased())] }
        guard let number = Int(shift == nil ? argument : String(argument.dropLast())), number >= 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
        if overflow { return nil }
        self.bytes = bytes
    }
}

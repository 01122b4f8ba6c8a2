import ELF
import Profile
import Symbols

/// Names the intervals of a recording that goes on. Used by one thread.
package final class IntervalNames {
    private let options: NamingOptions
    private var kernel: (symbols: KernelSymbols, modules: [UInt8])?
    private let note: (String) -> Void
    /// Problems that were reported already.
    private var problems: Set<String> = []

    /// - Parameter note: reports a problem in words.
    package init(_ options: NamingOptions, note: @escaping (String) -> Void) {
        (self.options, self.note) = (options, note)
    }

    package func profile(_ interval: RecordedInterval) -> NamedProfile {
        let recording = interval.recording
        let names = Symbolizer(
            recording.processes, kernel: self.kernelSymbols, demangles: options.demangles,
            debugFiles: options.debugFiles, inlines: options.inlines)
        names.nameAll(recording.stacks)
        let profile = NamedProfile(recording, names: names)
        for problem in names.problems where problems.count < 100 && problems.insert(problem).inserted { note(problem) }
        return profile
    }

    /// Read again when a module was loaded or unloaded: reading them takes a tenth of a second.
    private var kernelSymbols: KernelSymbols {
        let modules = KernelSymbols.read("/proc/modules")
        if let kernel, kernel.modules == modules { return kernel.symbols }
        let symbols = KernelSymbols()
        kernel = (symbols, modules)
        return symbols
    }
}

/// How the functions of profiles are named that are made while a recording goes on.
public struct NamingOptions: Sendable {
    /// Whether names are as people wrote them.
    public var demangles = true
    /// Finds the symbols that files were stripped of.
    public var debugFiles: DebugFileSearch? = DebugFileSearch()
    /// Whether inlined functions and lines are looked up.
    public var inlines = false

    /// The defaults.
    public init() {}
}

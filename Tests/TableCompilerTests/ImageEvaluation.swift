import ELF
import LinearEvaluation
import TableCompiler
import UnwindTable

extension LinearEvaluation {
    /// The linear evaluation of an image's sections, and of its debug file's if that is searched for.
    init(_ image: ELFImage, machine: TableMachine, search: DebugFileSearch?) throws {
        let sources = try FrameSources(of: image, search: search)
        self.init(sources.sections, executable: image.executableSegments, machine: machine)
        withExtendedLifetime(sources) {}
    }
}

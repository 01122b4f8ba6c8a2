import CallFrameInfo
import ELF
import LinearEvaluation
import TableCompiler
@testable import TableBuilder
@testable import UnwindTable

extension LinearEvaluation {
    /// The linear evaluation of an image's sections and, with a search, of its debug file's.
    init(_ image: ELFImage, machine: TableMachine, search: DebugFileSearch?) throws {
        var sources = try FrameSources(of: image, search: search)
        sources.infer()
        let executable = image.executableSegments
        self.init(sources.sections, sources: sources.kinds, executable: executable, machine: machine)
        if let entry = sources.entry, let addresses = try function(of: entry, sources.sections, executable) {
            let stated = entry.frame(addresses, machine: machine)
            self.init(
                [stated.section] + sources.sections, sources: [.inferred] + sources.kinds, executable: executable,
                machine: machine)
            withExtendedLifetime(stated) {}
        }
        withExtendedLifetime(sources) {}
    }

    /// The addresses from the entry point to the end of its function; nil if its own rules already make all of it
    /// outermost.
    private func function(
        of entry: EntryPoint, _ sections: [FrameSection], _ executable: [Range<UInt64>]
    ) throws -> Range<UInt64>? {
        guard let code = executable.first(where: { $0.contains(entry.address) }) else { return nil }
        var index = FrameIndex()
        try index.read(sections, clippedTo: executable)
        let spans = (0..<index.count).map { index.span(at: $0) }
        let span = spans.first { $0.start <= entry.address && entry.address < $0.limit }
        let next = spans.first { $0.start > entry.address }?.start ?? .max
        let addresses = entry.addresses(function: span?.limit, next: min(next, code.upperBound))
        let inForce = rows.filter { $0.start < addresses.upperBound }
        let first = inForce.lastIndex { $0.start <= addresses.lowerBound } ?? 0
        if span != nil, inForce[first...].allSatisfy({ texts[$0.rule] == "end of stack" }) { return nil }
        return addresses.isEmpty ? nil : addresses
    }
}

import CallFrameInfo
import TableBuilder
import TableCompiler
import UnwindTable

/// The FDEs of an image that overlap others, each with all of its rows.
struct OverlappingFrames {
    private let lowered: LoweredFrames
    /// In order of precedence: .eh_frame before .debug_frame, then by offset.
    private var frames: [LoweredFrames.Frame] = []
    private let machine: TableMachine

    /// More than any real file has; limits the work for each address of a bad file.
    private static let limit = 1024

    init(_ sources: FrameSources, _ machine: TableMachine) {
        self.machine = machine
        lowered = withExtendedLifetime(sources) {
            LoweredFrames(sources.sections, sources: sources.kinds, machine: machine)
        }
        let order = lowered.frames.indices.sorted { lowered.frames[$0].start < lowered.frames[$1].start }
        var overlapping = Set<Int>()
        // In order of starts, an FDE overlaps an earlier one only if it overlaps the one that extends farthest.
        var farthest: Int?
        for index in order where lowered.frames[index].start < lowered.frames[index].limit {
            if let other = farthest, lowered.frames[other].limit > lowered.frames[index].start {
                overlapping.formUnion([other, index])
            }
            if lowered.frames[index].limit > farthest.map({ lowered.frames[$0].limit }) ?? 0 { farthest = index }
        }
        frames = overlapping.sorted().prefix(Self.limit).map { lowered.frames[$0] }
    }

    /// The meaning of each FDE at the state's pc, in order of precedence.
    func meanings(of state: Snapshot) -> [FrameMeaning] {
        frames.compactMap { frame in
            guard frame.start <= state.pc, state.pc < frame.limit,
                let row = frame.rows.last(where: { $0.address <= state.pc })
            else { return nil }
            return lowered.operations.withUnsafeBufferPointer {
                lowered.rules[row.rule].meaning(of: state, $0, machine)
            }
        }
    }
}

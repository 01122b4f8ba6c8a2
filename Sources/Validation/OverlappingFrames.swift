import CallFrameInfo
import TableBuilder
import TableCompiler
import UnwindTable

/// The FDEs of an image that overlap others, each with its own rows.
struct OverlappingFrames {
    private let lowered: LoweredFrames
    /// In the order in which they take precedence: .eh_frame before .debug_frame, then that of the file.
    private var frames: [LoweredFrames.Frame] = []
    private let machine: TableMachine

    /// More than any real file has: a bound on the work for each of a bad file's addresses.
    private static let limit = 1024

    init(_ sources: FrameSources, _ machine: TableMachine) {
        self.machine = machine
        lowered = withExtendedLifetime(sources) { LoweredFrames(sources.sections, machine: machine) }
        let order = lowered.frames.indices.sorted { lowered.frames[$0].start < lowered.frames[$1].start }
        var overlapping = Set<Int>()
        // By rising start, an FDE overlaps one before it only if it overlaps the one that reaches farthest.
        var farthest: Int?
        for index in order where lowered.frames[index].start < lowered.frames[index].limit {
            if let other = farthest, lowered.frames[other].limit > lowered.frames[index].start {
                overlapping.formUnion([other, index])
            }
            if lowered.frames[index].limit > farthest.map({ lowered.frames[$0].limit }) ?? 0 { farthest = index }
        }
        frames = overlapping.sorted().prefix(Self.limit).map { lowered.frames[$0] }
    }

    /// What each of the FDEs at the state's pc says of it, the first of the file first.
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

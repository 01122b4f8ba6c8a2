import ELF
import KernelUnwinder
import Symbols
import Synchronization
import Threads

/// Names the code of files that no process maps any more, so that they need not stay open until the end: the machine may run
/// other files every minute. Another thread reads their symbols, because that may take seconds, and samples can't wait for it.
final class UnmappedFiles {
    /// In the common address space.
    let pieces: [ProcessImages.Mapping]
    private let outcome = Outcome()
    /// What was found; nil until all is named.
    var named: Named? { outcome.named.withLock { $0 } }

    struct Named: Sendable {
        /// The functions of frames, by their symbols.
        var functions: [Sample.Frame: String] = [:]
        /// Problems with reading symbols, in words.
        var problems: [String] = []
    }

    private final class Outcome: Sendable { let named = Mutex<Named?>(nil) }

    /// - Parameters:
    ///   - stacks: the frames are in these.
    ///   - debugFiles: finds symbols that files were stripped of.
    init(
        _ pieces: [ProcessImages.Mapping], in stacks: Stacks, _ pool: WorkerPool, debugFiles: DebugFileSearch? = nil
    ) {
        self.pieces = pieces
        let images = ProcessImages(pieces)
        var frames: [UInt64: Set<Sample.Frame>] = [:]
        for stack in stacks.all where stack.space.isResolved {
            for frame in stack.userFrames {
                guard let piece = images.mapping(at: frame.lookupAddress) else { continue }
                frames[piece.start, default: []].insert(frame.unmarked)
            }
        }
        // The other thread opens images of its own.
        nonisolated(unsafe) let work = pieces.map { (piece: $0, frames: frames[$0.start] ?? []) }
        let outcome = outcome
        pool.add(0, WorkerPool.Urgency(isAwaited: true, need: 0)) {
            var named = Named()
            for (piece, frames) in work { named.add(frames, in: piece, debugFiles) }
            outcome.named.withLock { $0 = named }
        }
    }
}

extension UnmappedFiles.Named {
    fileprivate mutating func add(
        _ frames: Set<Sample.Frame>, in piece: ProcessImages.Mapping, _ debugFiles: DebugFileSearch?
    ) {
        guard let image = piece.image else { return }
        let symbols = (try? image.image?.another()).map { ImageNames.forDemangling($0, debugFiles: debugFiles) }
        for frame in frames {
            functions[frame] = Symbolizer.symbol(at: frame.pc &- piece.bias, isExact: frame.isExact, in: image, symbols)
        }
        problems += symbols?.problems.map { "\($0)" } ?? []
    }
}

extension Recorder {
    /// Closes files that no process has mapped for some time, if there are many.
    func closeUnmappedFiles() {
        if let files = unmapped, let named = files.named {
            unmapped = nil
            renumber(stacks.map { processes.moveFrames(of: &$0, to: named.functions) })
            processes.close(files.pieces)
            for problem in named.problems { note(problem) }
        } else if unmapped == nil {
            let pieces = processes.takeUnmapped()
            if !pieces.isEmpty { unmapped = UnmappedFiles(pieces, in: stacks, pool, debugFiles: debugFiles) }
        }
    }
}

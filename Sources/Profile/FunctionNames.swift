import ELF
import KernelUnwinder
import Symbols
import Synchronization
import Threads

/// The functions of code that was sampled.
struct FunctionNames: Sendable {
    /// By their symbols.
    var user: [Sample.Frame: String] = [:]
    /// The first address of the function that a kernel address is in.
    var kernel: [UInt64: UInt64] = [:]
    /// Problems with reading symbols, in words.
    var problems: [String] = []
}

/// Names code while samples are taken. Another thread reads the symbols, because that may take seconds, and samples can't wait
/// for it.
final class FunctionNaming {
    /// Why it is done.
    enum Purpose {
        /// The files need not stay open until the end, which no process maps any more: the machine may run other files every
        /// minute.
        case closing
        /// Stacks that are told apart by function are fewer than those told apart by instruction.
        case merging
    }

    let purpose: Purpose
    /// In the common address space.
    let pieces: [ProcessImages.Mapping]
    private let outcome = Outcome()
    /// What was found; nil until all is named.
    var names: FunctionNames? { outcome.names.withLock { $0 } }

    private final class Outcome: Sendable { let names = Mutex<FunctionNames?>(nil) }

    /// - Parameters:
    ///   - pieces: the code to name.
    ///   - stacks: the frames are in these; the kernel's are named, too, if stacks are to be merged.
    ///   - debugFiles: finds symbols that files were stripped of.
    init(
        _ purpose: Purpose, _ pieces: [ProcessImages.Mapping], in stacks: Stacks, _ pool: WorkerPool,
        debugFiles: DebugFileSearch? = nil
    ) {
        (self.purpose, self.pieces) = (purpose, pieces)
        let images = ProcessImages(pieces)
        var frames: [UInt64: Set<Sample.Frame>] = [:]
        for frame in stacks.commonFrames {
            guard let piece = images.mapping(at: frame.lookupAddress) else { continue }
            frames[piece.start, default: []].insert(frame.unmarked)
        }
        // The other thread opens images of its own.
        nonisolated(unsafe) let work = pieces.map { (piece: $0, frames: frames[$0.start] ?? []) }
        let kernel = purpose == .merging ? Set(stacks.kernelAddresses) : []
        let outcome = outcome
        pool.add(0, WorkerPool.Urgency(isAwaited: true, need: 0)) {
            var names = FunctionNames()
            for (piece, frames) in work where !frames.isEmpty { names.add(frames, in: piece, debugFiles) }
            if !kernel.isEmpty {
                let symbols = KernelSymbols()
                for address in kernel { names.kernel[address] = symbols.start(ofFunctionAt: address) }
            }
            outcome.names.withLock { $0 = names }
        }
    }
}

extension FunctionNames {
    fileprivate mutating func add(
        _ frames: Set<Sample.Frame>, in piece: ProcessImages.Mapping, _ debugFiles: DebugFileSearch?
    ) {
        guard let image = piece.image else { return }
        let symbols = (try? image.image?.another()).map { ImageNames.forDemangling($0, debugFiles: debugFiles) }
        for frame in frames {
            user[frame] = Symbolizer.symbol(at: frame.pc &- piece.bias, isExact: frame.isExact, in: image, symbols)
        }
        problems += symbols?.problems.map { "\($0)" } ?? []
    }
}

extension Recorder {
    /// Names code for which stacks need not keep files open, or instructions apart.
    func nameFunctions() {
        if let naming, let names = naming.names {
            self.naming = nil
            renumber(processes.moveFrames(of: &stacks, to: names))
            switch naming.purpose {
            case .closing: processes.close(naming.pieces)
            case .merging: mergeLimit = max(mergeLimit, 2 * stacks.byteCount)
            }
            for problem in names.problems { note(problem) }
        } else if naming == nil {
            let unmapped = processes.takeUnmapped()
            if !unmapped.isEmpty {
                name(.closing, unmapped)
            } else if !tellsInstructionsApart, stacks.byteCount > mergeLimit {
                name(.merging, processes.openPieces)
            }
        }
    }

    private func name(_ purpose: FunctionNaming.Purpose, _ pieces: [ProcessImages.Mapping]) {
        naming = FunctionNaming(purpose, pieces, in: stacks, pool, debugFiles: debugFiles)
    }
}

import ELF
import Synchronization
import TableCompiler
import Threads

/// Compares the tables of many files with libdw, on several threads.
public enum TreeValidation {
    /// What became of one file.
    public enum Outcome: Sendable {
        case compared(ImageValidator.Result)
        /// Not an ELF file.
        case notELF
        case skipped(SkipReason)
        case failed(String)
    }

    /// - Parameters:
    ///   - threads: at least 1.
    ///   - validator: called once on each thread.
    ///   - progress: called now and then from any thread with the bytes done.
    /// - Returns: an outcome for each file.
    public static func run(
        _ files: [FoundFile], threads: Int, validator: @escaping @Sendable () -> ImageValidator,
        progress: @escaping @Sendable (UInt64) -> Void
    ) -> [Outcome] {
        // Largest first, so that no thread is left alone with it at the end.
        let order = files.indices.sorted { (files[$1].size, $0) < (files[$0].size, $1) }
        let next = Atomic<Int>(0)
        let done = Atomic<UInt64>(0)
        let outcomes = Mutex([Outcome](repeating: .notELF, count: files.count))
        let work: @Sendable (Int) -> Void = { _ in
            // With fewer threads than wanted the first ones leave nothing.
            guard next.load(ordering: .relaxed) < order.count else { return }
            let validator = validator()
            while true {
                let turn = next.add(1, ordering: .relaxed).oldValue
                guard turn < order.count else { break }
                let file = files[order[turn]]
                let outcome = outcome(file, validator)
                outcomes.withLock { $0[order[turn]] = outcome }
                progress(done.add(file.size, ordering: .relaxed).newValue)
            }
        }
        Threads.perform(max(1, min(threads, files.count)), work)
        return outcomes.withLock { $0 }
    }

    private static func outcome(_ file: FoundFile, _ validator: ImageValidator) -> Outcome {
        do {
            return .compared(try validator.validate(try ELFImage(path: file.path)))
        } catch let error as ELFError where !file.isNamed && (error.kind == .notELF || error.kind == .empty) {
            return .notELF
        } catch let error as CompileError {
            if case .skipped(let reason) = error { return .skipped(reason) }
            return .failed(error.description)
        } catch {
            return .failed("\(error)")
        }
    }
}

import ELF
import TableCompiler

/// Compares the tables of many files with libdw, on several threads.
public enum TreeValidation {
    /// The result for one file.
    public enum Outcome: Sendable {
        case compared(ImageValidator.Result)
        /// Not an ELF file.
        case notELF
        case skipped(SkipReason)
        case failed(String)
    }

    /// Compares the tables of files with libdw.
    ///
    /// - Parameters:
    ///   - threads: at least 1.
    ///   - validator: called at most once on each thread.
    ///   - progress: called after each file, on any thread, with the total size of the files done, in bytes.
    /// - Returns: an outcome for each file, in the order of `files`.
    public static func run(
        _ files: [FoundFile], threads: Int, validator: @escaping @Sendable () -> ImageValidator,
        progress: @escaping @Sendable (UInt64) -> Void
    ) -> [Outcome] {
        files.results(threads: threads, with: validator, progress: { done, _ in progress(done) }, outcome)
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

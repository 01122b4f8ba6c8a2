import ELF
import TableCompiler

/// Compares call frame information of many files with their code, on several threads.
public enum InferenceTree {
    /// The result for one file.
    public enum Outcome: Sendable {
        case compared(InferenceComparison)
        /// Not an ELF file.
        case notELF
        /// Another machine's, a relocatable file, or one without call frame information.
        case notApplicable(String)
        case failed(String)
    }

    /// Compares files.
    ///
    /// - Parameters:
    ///   - threads: at least 1.
    ///   - exampleLimit: how many examples each result may hold.
    ///   - progress: called after each file, on any thread, with the total size of the files done, in bytes.
    /// - Returns: an outcome for each file, in the order of `files`.
    public static func run(
        _ files: [FoundFile], threads: Int, exampleLimit: Int, progress: @escaping @Sendable (UInt64) -> Void
    ) -> [Outcome] {
        files.results(threads: threads, with: {}, progress: { done, _ in progress(done) }) { file, _ in
            outcome(file, exampleLimit)
        }
    }

    private static func outcome(_ file: FoundFile, _ exampleLimit: Int) -> Outcome {
        do {
            let image = try ELFImage(path: file.path)
            guard let comparison = try InferenceValidator.compare(image, exampleLimit: exampleLimit) else {
                return .notApplicable("not x86-64, not linked, or without call frame information")
            }
            return .compared(comparison)
        } catch let error as ELFError where !file.isNamed && (error.kind == .notELF || error.kind == .empty) {
            return .notELF
        } catch let error as ELFError {
            return .failed("\(error)")
        } catch {
            return .failed("\(file.path): \(error)")
        }
    }
}

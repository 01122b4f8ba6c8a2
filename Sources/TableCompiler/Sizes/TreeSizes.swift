import ELF
import UnwindTable

/// Measures the call frame information of many files, on several threads.
package struct TreeSizes: Sendable {
    /// Where to look for separate debug files; nil for nowhere.
    package var debugFiles: DebugFileSearch?
    /// At least 1.
    package var threads: Int

    package init(debugFiles: DebugFileSearch?, threads: Int) {
        self.debugFiles = debugFiles
        self.threads = threads
    }

    /// The result for one file.
    package enum Outcome: Sendable {
        case measured(ImageSizes)
        /// Not an ELF file.
        case notELF
        case skipped(SkipReason)
        case failed(String)
    }

    /// Measures files.
    ///
    /// - Parameter progress: called after each file, from any thread, with the bytes processed and the total.
    /// - Returns: an outcome for each file, in the order of `files`, whatever the number of threads.
    package func run(_ files: [FoundFile], progress: @escaping @Sendable (UInt64, UInt64) -> Void) -> [Outcome] {
        let threadsEach = max(1, threads / max(1, files.count))
        return files.results(
            threads: threads,
            with: {
                // The other formats don't have inferred rules.
                ImageCompiler(options: TableOptions(infers: false), debugFiles: debugFiles, threads: threadsEach)
            }, progress: progress,
            Self.outcome)
    }

    private static func outcome(_ file: FoundFile, _ compiler: ImageCompiler) -> Outcome {
        do throws(CompileError) {
            let image: ELFImage
            do throws(ELFError) { image = try ELFImage(path: file.path) } catch { throw CompileError.elf(error) }
            return .measured(try compiler.sizes(of: image))
        } catch {
            switch error {
            case .skipped(let reason): return .skipped(reason)
            case .elf(let error) where !file.isNamed && (error.kind == .notELF || error.kind == .empty): return .notELF
            default: return .failed(error.description)
            }
        }
    }
}

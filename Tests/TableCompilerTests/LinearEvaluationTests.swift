import ELF
import Foundation
import LinearEvaluation
import Synchronization
import TableCompiler
import Testing
import Threads
import UnwindTable

/// Compares tables of the machine's own files with the linear evaluation of their rows: two thousand files with
/// thirteen million rows in less than half a minute.
@Suite struct LinearEvaluationTests {
    static let directories = ["/usr/bin", "/usr/lib", "/usr/aarch64-linux-gnu/lib"]

    static var files: [FoundFile] { FileWalk(directories.filter { access($0, R_OK) == 0 }).files }

    static func isELF(_ path: String) -> Bool {
        guard let file = fopen(path, "r") else { return false }
        defer { fclose(file) }
        var magic = [UInt8](repeating: 0, count: 4)
        return fread(&magic, 1, 4, file) == 4 && magic == [0x7f, 0x45, 0x4c, 0x46]
    }

    struct Totals {
        var files = 0
        var skipped = 0
        var rows = 0
        var lookups = 0
        var problems: [String] = []
    }

    @Test func lookupsEqualLinearEvaluationForEveryFileOfTheSystem() throws {
        let files = Self.files.sorted { $0.size > $1.size }
        let totals = Mutex(Totals())
        Threads.perform(files.count, threads: ProcessInfo.processInfo.activeProcessorCount) {
            ImageCompiler(debugFiles: nil)
        } call: { turn, compiler in
            Self.examine(files[turn].path, compiler, totals)
        }
        let result = totals.withLock { $0 }
        print(
            "linear evaluation: \(result.files) files, \(result.skipped) skipped, \(result.rows) rows, "
                + "\(result.lookups) lookups, \(result.problems.count) problems")
        #expect(result.problems == [])
        #expect(result.files > 100)
    }

    private static func examine(_ path: String, _ compiler: ImageCompiler, _ totals: borrowing Mutex<Totals>) {
        guard isELF(path) else { return }
        do {
            let image = try ELFImage(path: path)
            guard let machine = try? image.tableMachine() else { return totals.withLock { $0.skipped += 1 } }
            let result = try compiler.compile(image)
            let view = try TableVerifier.verify(result.built.table)
            let comparison = TableComparison(view, try LinearEvaluation(image, machine: machine, search: nil))
            totals.withLock {
                $0.files += 1
                $0.rows += comparison.rowCount
                $0.lookups += comparison.lookupCount
                $0.problems += comparison.differences.map { "\(path): \($0)" }
            }
        } catch CompileError.skipped {
            totals.withLock { $0.skipped += 1 }
        } catch {
            totals.withLock { $0.problems.append("\(path): \(error)") }
        }
    }
}

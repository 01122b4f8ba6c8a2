import ELF
import Glibc
import TableCompiler
import Testing
import UnwindTable
import Validation

/// Tables of real files agree with libdw in every row.
@Suite struct SystemFileTests {
    static let files = [
        "/usr/bin/bash", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/usr/aarch64-linux-gnu/lib/libc.so.6",
        "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1", "/usr/aarch64-linux-gnu/lib/libm.so.6",
    ]

    @Test(arguments: files)
    func everyRowMeansWhatTheReferenceSays(path: String) throws {
        guard access(path, R_OK) == 0 else { return }
        let compiler = ImageCompiler(debugFiles: nil)
        let image = try ELFImage(path: path)
        let result = try compiler.compile(image)
        let view = try TableVerifier.verify(result.built.table)
        let validation = TableValidation(
            view, try ReferenceImage(path: path), sources: try FrameSources(of: image, search: nil))
        #expect(validation.disagreementCount == 0, "\(validation.disagreements.prefix(3))")
        #expect(validation.unsaidByTable == [:])
        // Up to three probes per row; short rows have fewer.
        #expect(validation.probes > Int(view.header.counts.rows))
        #expect(validation.agreements + validation.known.values.reduce(0, +) == validation.probes)
    }

    /// A part of what `make validate-all` compares: executables, and the C library for aarch64.
    @Test func everyFileOfTheseDirectoriesMeansWhatTheReferenceSays() throws {
        let walk = FileWalk(["/usr/bin", "/usr/aarch64-linux-gnu/lib"].filter { access($0, R_OK) == 0 })
        let outcomes = TreeValidation.run(
            walk.files, threads: 2, validator: { ImageValidator(store: nil, debugFiles: nil) }, progress: { _ in })
        var compared = 0
        for (file, outcome) in zip(walk.files, outcomes) {
            switch outcome {
            case .compared(let result):
                compared += 1
                #expect(
                    result.validation.disagreementCount == 0,
                    "\(file.path): \(result.validation.disagreements.prefix(2))")
            case .failed(let problem): Issue.record("\(problem)")
            case .skipped, .notELF: break
            }
        }
        #expect(compared > 100)
    }

    /// Another file's table is wrong everywhere. None of its differences must count as known.
    @Test func wrongTablesAreFound() throws {
        let compiler = ImageCompiler(options: TableOptions(infers: false), debugFiles: nil)
        let result = try compiler.compile(try ELFImage(path: "/usr/bin/env"))
        let view = try TableVerifier.verify(result.built.table)
        let validation = TableValidation(view, try ReferenceImage(path: "/usr/bin/bash"))
        #expect(validation.disagreementCount > Int(view.header.counts.rows))
        #expect(validation.known == [:])
    }
}

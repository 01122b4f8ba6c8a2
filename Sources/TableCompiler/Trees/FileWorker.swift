import ELF
import Files
import Glibc
import TableStore
import UnwindTable

/// Compiles files into the store, one at a time.
struct FileWorker {
    let tree: TreeCompiler
    let compiler: ImageCompiler
    let shared: SharedRun

    func process(_ file: FoundFile) -> FileResult {
        let image: ELFImage
        do throws(ELFError) {
            guard let opened = try open(file) else { return FileResult(state: .outcome(.notELF)) }
            image = opened
        } catch {
            return FileResult(state: .outcome(.failed(error.description)))
        }
        var result = FileResult(state: .outcome(.notELF), elfBytes: file.size)
        do throws(CompileError) {
            result.state = try process(image, &result)
        } catch {
            if case .skipped(let reason) = error {
                result.state = .outcome(.skipped(reason))
            } else {
                result.state = .outcome(.failed(error.description))
            }
        }
        return result
    }

    /// The file as an ELF image; nil if it isn't one and the user didn't name it.
    private func open(_ file: FoundFile) throws(ELFError) -> ELFImage? {
        let descriptor = file.path.withPath { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        guard descriptor >= 0 else { throw ELFError(file: file.path, kind: .cannotOpen(errno: errno)) }
        if !file.isNamed, !ELFImage.isELF(descriptor: descriptor) {
            close(descriptor)
            return nil
        }
        return try ELFImage(descriptor: descriptor, path: file.path)
    }

    private func process(_ image: ELFImage, _ result: inout FileResult) throws(CompileError) -> FileResult.State {
        try ImageCompiler.checkEligible(image)
        let input = compiler.input(image)
        let key: TableSource.Key
        do throws(ELFError) {
            // All tables are compiled again, so all files' errors are reported again.
            if tree.isForced { _ = try input.frames() }
            key = try tree.store.key(of: input)
        } catch {
            throw .elf(error)
        }
        defer {
            if input.hasReadFrames, let frames = try? input.frames() {
                (result.notes, result.sectionNames) = (frames.notes, frames.names)
            }
        }
        guard shared.claim(key) else { return .keyed(key) }
        var table = SharedTable(path: image.name)
        do throws(CompileError) {
            table.outcome = try self.table(of: input, key, &table)
        } catch {
            if case .skipped(let reason) = error {
                table.outcome = .skipped(reason)
            } else {
                table.outcome = .failed(error.description)
            }
        }
        shared.finish(key, table)
        return .keyed(key)
    }

    private func table(
        of input: ImageInput, _ key: TableSource.Key, _ table: inout SharedTable
    ) throws(CompileError) -> FileOutcome {
        if !tree.isForced {
            do throws(NotCurrent) {
                let stored = try tree.store.usable(key: key, options: tree.options)
                try stored.checkContent()
                let facts = TableFacts(stored.header, key: key, size: stored.bytes.count)
                if facts.counts.badFDEs > 0 {
                    table.notes.append("\(facts.counts.badFDEs) malformed FDEs (cfic stats lists them)")
                }
                return finished(facts, isNew: false)
            } catch {
                if case .damaged(let problem) = error { table.notes.append("replaced a damaged table: \(problem)") }
            }
        }
        if let problem = shared.storeProblem { return .failed(problem) }
        let result = try compiler.compile(input, key: key)
        (table.isNew, table.faults, table.sectionNames) = (true, result.faults, result.sectionNames)
        do throws(StoreError) {
            try shared.batch.insert(result.table, key: key)
        } catch {
            return .failed(shared.explain(error, tree.store) ?? "\(input.image.name): \(error)")
        }
        return finished(TableFacts(result), isNew: true)
    }

    private func finished(_ facts: TableFacts, isNew: Bool) -> FileOutcome {
        if tree.isStrict, !facts.isFlawless { return .flawed(facts) }
        return isNew ? .compiled(facts) : .current(facts)
    }
}

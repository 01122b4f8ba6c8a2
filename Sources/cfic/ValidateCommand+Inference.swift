import ArgumentParser
import TableCompiler
import Validation

/// `cfic validate --inference`.
extension ValidateCommand {
    func checkInference() throws {
        if let show {
            guard inference else { throw ValidationError("--show goes with --inference.") }
            guard (0...10_000).contains(show) else { throw ValidationError("--show takes a number from 0 to 10000.") }
        }
        if let minAgreement {
            guard live.live || inference else {
                throw ValidationError("--min-agreement goes with --live or --inference.")
            }
            guard (0...100).contains(minAgreement) else {
                throw ValidationError("--min-agreement takes a percentage from 0 to 100.")
            }
        }
        guard inference else { return }
        if live.live || core != nil { throw ValidationError("--inference excludes --live and --core.") }
        if exhaustive || keepGaps || states != nil || seed != nil || ignoresCache || cache.cache != nil {
            throw ValidationError(
                "--exhaustive, --keep-gaps, --states, --seed, --cache and --no-cache are for tables: "
                    + "they don't go with --inference.")
        }
    }

    func validateInference() -> InferenceReport {
        let walk = FileWalk(paths)
        let bar = ProgressBar(isWorthwhile: true)
        let total = walk.files.reduce(0) { $0 + $1.size }
        let outcomes = InferenceTree.run(
            walk.files, threads: threads.count, exampleLimit: show ?? 0, progress: { bar.update($0, of: total) })
        bar.finish()
        return InferenceReport(walk, outcomes, minimumAgreement: minAgreement ?? 99.9)
    }
}

import JSONDocuments
import Profile

/// What was recorded, as text that is made while it is written: JSON, or folded stacks.
struct ProfileText {
    let run: ProfileRun
    let symbolizer: Symbolizer
    let isJSON: Bool

    func write(to output: inout some TextOutputStream) throws {
        let stacks = run.recorder.stacks
        guard isJSON else { return FoldedStacks(stacks, symbolizer).write(to: &output) }
        try JSONText.write(
            ProfileReport(run), list: "stacks", ProfileReport.countedStacks(stacks, symbolizer), to: &output)
    }
}

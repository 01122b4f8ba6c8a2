import Inference
import TableStore
import UnwindTable

extension TableOptions {
    /// These options, without inference where the decoder of instructions isn't installed.
    public var usable: TableOptions {
        var options = self
        if options.infers, Self.inferenceProblem != nil { options.infers = false }
        return options
    }

    /// Why code without call frame information can't be analysed here; nil if it can.
    public static var inferenceProblem: String? {
        do throws(DecoderProblem) {
            try openDecoder()
            return nil
        } catch { return error.description }
    }
}

extension TableStore {
    /// The table with `key` and these options, or one without inference if that isn't possible here: another host may
    /// have made it better than this one could. As ``TableStore/currentUnchecked(key:options:)`` otherwise.
    ///
    /// - Parameter takesTablesWithoutInference: whether one without is taken here, too.
    func usable(
        key: TableSource.Key, options: TableOptions, takesTablesWithoutInference: Bool = false
    ) throws(NotCurrent) -> StoredTable {
        do throws(NotCurrent) {
            return try currentUnchecked(key: key, options: options)
        } catch {
            var others = options.usable
            if takesTablesWithoutInference { others.infers = false }
            guard case .otherOptions = error, others != options else { throw error }
            return try currentUnchecked(key: key, options: others)
        }
    }
}

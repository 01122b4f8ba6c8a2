import UnwindTable

/// The table's final rule numbers: in descending order of their numbers of rows, so that most pages need no palette,
/// and in order of content for equally frequent rules. Numbers don't depend on how the spans were cut into chunks.
struct RuleNumbering {
    private(set) var rules: [Rule] = [.unknown(.noInformation)]
    private(set) var programs = ProgramList()
    /// For each chunk: the table's rule numbers, by the chunk's.
    private(set) var final: [[UInt16]] = []

    private struct Candidate {
        var rule: Rule
        var uses: UInt64
    }

    init<A: Architecture>(_ chunks: [ChunkHandle<A>]) {
        // All chunks' programs, so that equal rules of different chunks have equal program indices.
        var gathered = ProgramList()
        var candidates: [Candidate] = []
        var places: [Rule: Int] = [:]
        var placesByChunk: [[Int?]] = []
        for handle in chunks {
            let ruleSet = handle.chunk.sink.ruleSet
            var placesHere: [Int?] = []
            for (number, rule) in ruleSet.rules.enumerated() {
                guard number != 0, handle.uses(number) != 0 else {
                    placesHere.append(nil)
                    continue
                }
                let common = rule.renumberingExpressions { gathered.adopt($0, from: ruleSet.programs) }
                if let place = places[common] {
                    candidates[place].uses += UInt64(handle.uses(number))
                    placesHere.append(place)
                } else {
                    places[common] = candidates.count
                    placesHere.append(candidates.count)
                    candidates.append(Candidate(rule: common, uses: UInt64(handle.uses(number))))
                }
            }
            placesByChunk.append(placesHere)
        }
        number(candidates, gathered, placesByChunk)
    }

    private mutating func number(_ candidates: [Candidate], _ gathered: ProgramList, _ placesByChunk: [[Int?]]) {
        let order = candidates.indices.sorted { left, right in
            if candidates[left].uses != candidates[right].uses { return candidates[left].uses > candidates[right].uses }
            return Self.content(candidates[left].rule, gathered)
                .lexicographicallyPrecedes(Self.content(candidates[right].rule, gathered))
        }
        var numbers = [UInt16](repeating: 0, count: candidates.count)
        for place in order {
            numbers[place] = UInt16(truncatingIfNeeded: rules.count)
            rules.append(candidates[place].rule.renumberingExpressions { programs.adopt($0, from: gathered) })
        }
        final = placesByChunk.map { places in places.map { $0.map { numbers[$0] } ?? 0 } }
    }

    /// A rule as numbers that don't depend on the indices of its programs.
    private static func content(_ rule: Rule, _ programs: ProgramList) -> [UInt64] {
        var content: [UInt64] = []
        let bare = rule.renumberingExpressions { index in
            for operation in programs.operations[Int(index)...] {
                content.append(unsafeBitCast(operation, to: UInt64.self))
                if operation.code == .end { break }
            }
            return 0
        }
        return [bare.words.0, bare.words.1] + content
    }
}

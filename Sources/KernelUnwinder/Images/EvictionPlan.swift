/// Chooses the tables to evict for others. It depends only on how much each is used, so that tests need no kernel.
///
/// Those go first whose last use is longest ago. Of tables that were all used just now, those go first that have the
/// fewest uses for their size. A table that is used much is never given up for one that is used less: if the tables in
/// use don't fit together, those that serve most samples stay, and the rest isn't loaded and evicted in turns.
enum EvictionPlan {
    struct Candidate: Equatable {
        /// The kernel memory that it takes, in bytes.
        var bytes: Int
        var use: RecentUse
    }

    /// - Parameters:
    ///   - bytes: how much is needed.
    ///   - candidates: the tables that can be evicted.
    ///   - worth: the recent uses that tables of together at most half as many may be evicted for.
    /// - Returns: indices of candidates; nil if too little would be freed, or more would be lost than it is worth.
    static func victims(toFree bytes: Int, from candidates: [Candidate], worth: Double) -> [Int]? {
        if bytes <= 0 { return [] }
        let ordered = candidates.indices.sorted { first, second in
            let (one, other) = (candidates[first], candidates[second])
            if one.use.lastUse != other.use.lastUse { return one.use.lastUse < other.use.lastUse }
            return one.use.amount * Double(other.bytes) < other.use.amount * Double(one.bytes)
        }
        var victims: [Int] = []
        var (freed, lost) = (0, 0.0)
        for index in ordered {
            lost += candidates[index].use.amount
            guard 2 * lost <= worth else { return nil }
            freed += candidates[index].bytes
            victims.append(index)
            if freed >= bytes { return victims }
        }
        return nil
    }
}

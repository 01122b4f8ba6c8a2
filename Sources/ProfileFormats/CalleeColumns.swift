/// Two columns of a .cfic file: who is called next, by a caller that is known. Callees are numbered as they come.
///
/// A callee's place among those that the same caller called last is small for frequent ones, whatever their numbers.
struct CalleeColumns {
    /// 0: a new callee; a place; or ``RecentCallees/other``.
    private(set) var places = NumberWriter()
    /// Only for others: how much smaller the number is than the highest one.
    private(set) var others = NumberWriter()
    /// Different callees.
    private(set) var count: UInt32 = 0
    private var recent = RecentCallees()

    /// - Parameter callee: a number that was there before, or the next one: ``count``.
    mutating func add(_ callee: UInt32, calledFrom caller: Int) {
        if callee == count {
            places.number(0)
            count += 1
        } else if let place = recent.place(of: callee, calledFrom: caller) {
            return places.number(place)
        } else {
            places.number(RecentCallees.other)
            others.number(count - 1 - callee)
        }
        recent.add(callee, calledFrom: caller)
    }
}

/// Who is called, from the columns that ``CalleeColumns`` made.
struct CalleeSequence {
    private let places: [UInt8], others: [UInt32]
    private var place = 0, other = 0
    /// Different callees so far.
    private var count: UInt32 = 0
    private var recent = RecentCallees()

    /// Reads the columns.
    init(_ count: Int, from numbers: inout NumberReader, _ what: String) throws(ProfileProblem) {
        var places: [UInt8] = [], others: [UInt32] = []
        for _ in 0..<count { places.append(UInt8(try numbers.index(below: RecentCallees.other + 1, what))) }
        for place in places where place == RecentCallees.other {
            others.append(UInt32(try numbers.number(upTo: UInt64(UInt32.max), what)))
        }
        (self.places, self.others) = (places, others)
    }

    /// How many callees are different.
    var newCount: Int { places.count(where: { $0 == 0 }) }

    /// The next one; nil if there is none in that place.
    mutating func next(calledFrom caller: Int) -> UInt32? {
        defer { place += 1 }
        switch Int(places[place]) {
        case 0:
            recent.add(count, calledFrom: caller)
            count += 1
            return count - 1
        case RecentCallees.other:
            defer { other += 1 }
            guard others[other] < count else { return nil }
            let callee = count - 1 - others[other]
            recent.add(callee, calledFrom: caller)
            return callee
        case let place: return recent.callee(at: place, calledFrom: caller)
        }
    }
}

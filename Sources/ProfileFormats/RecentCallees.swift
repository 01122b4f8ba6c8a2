/// For each caller, up to ``limit`` of its callees: those that were taken or added last, the last one first.
///
/// A column of a .cfic file has a callee's place among them: it is small for frequent callees.
struct RecentCallees {
    static let limit = 16
    /// In place of a place: one that is not among them.
    static let other = limit + 1

    /// Callers' callees, each in a block that is replaced when it is full, so that the many callers of one take little.
    private var callees: [UInt32] = []
    private var blocks: [(start: Int, count: Int, capacity: Int)] = []

    /// The place of a callee, from 1. It comes first then.
    mutating func place(of callee: UInt32, calledFrom caller: Int) -> Int? {
        guard caller < blocks.count else { return nil }
        let (start, count, _) = blocks[caller]
        for index in start..<(start + count) where callees[index] == callee {
            moveToFront(index, start)
            return index - start + 1
        }
        return nil
    }

    /// The callee at a place. It comes first then.
    mutating func callee(at place: Int, calledFrom caller: Int) -> UInt32? {
        guard caller < blocks.count, place >= 1, place <= blocks[caller].count else { return nil }
        let start = blocks[caller].start
        moveToFront(start + place - 1, start)
        return callees[start]
    }

    /// Puts one first that is not among them.
    mutating func add(_ callee: UInt32, calledFrom caller: Int) {
        while caller >= blocks.count { blocks.append((0, 0, 0)) }
        if blocks[caller].count == blocks[caller].capacity, blocks[caller].capacity < Self.limit { grow(caller) }
        // If it is full, the last one gives way.
        if blocks[caller].count < blocks[caller].capacity { blocks[caller].count += 1 }
        let (start, count, _) = blocks[caller]
        callees[start + count - 1] = callee
        moveToFront(start + count - 1, start)
    }

    /// Sizes of blocks are 1, 2, 4, 8, 16.
    private mutating func grow(_ caller: Int) {
        let (start, count, capacity) = blocks[caller]
        blocks[caller] = (callees.count, count, max(1, capacity * 2))
        for index in start..<(start + count) { callees.append(callees[index]) }
        while callees.count < blocks[caller].start + blocks[caller].capacity { callees.append(0) }
    }

    private mutating func moveToFront(_ index: Int, _ start: Int) {
        let callee = callees[index]
        var index = index
        while index > start {
            callees[index] = callees[index - 1]
            index -= 1
        }
        callees[start] = callee
    }
}

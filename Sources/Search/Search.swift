// Binary search. `partitioningIndex` is named as in the swift-algorithms package, of which nothing else is needed.
extension RandomAccessCollection {
    /// The index of the first element for which `isBehind` holds; `endIndex` if there is none. It must also hold for all
    /// later elements.
    @inlinable
    package func partitioningIndex(where isBehind: (Element) throws -> Bool) rethrows -> Index {
        var first = startIndex
        var count = self.count
        while count > 0 {
            let half = count / 2
            let middle = index(first, offsetBy: half)
            if try isBehind(self[middle]) {
                count = half
            } else {
                first = index(after: middle)
                count -= half + 1
            }
        }
        return first
    }

    /// The index of the last element whose key is at most `value`; nil if there is none. Keys must be in ascending order.
    @inlinable
    package func lastIndex<Key: Comparable>(atMost value: Key, by key: (Element) throws -> Key) rethrows -> Index? {
        let next = try partitioningIndex { try key($0) > value }
        return next == startIndex ? nil : index(before: next)
    }
}

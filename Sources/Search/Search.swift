// Binary search. The name of the first function is that of the package swift-algorithms, whose one function this is.
extension RandomAccessCollection {
    /// The index of the first element for which `isBehind` holds, as then it has to for all after it; `endIndex` if it
    /// holds for none.
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

    /// The index of the last element whose key is `value` or less, where keys never fall; nil if there is none.
    @inlinable
    package func lastIndex<Key: Comparable>(atMost value: Key, by key: (Element) throws -> Key) rethrows -> Index? {
        let next = try partitioningIndex { try key($0) > value }
        return next == startIndex ? nil : index(before: next)
    }
}

/// Stores each name once, by number, so that a reference to a name takes only four bytes.
public struct NameTable: Sendable {
    /// The number of a name in its table.
    public struct ID: Hashable, Sendable {
        /// In the order in which names were added, from 0.
        package let number: UInt32
    }

    private var names: [String] = []
    private var numbers: [String: UInt32] = [:]

    package init() {}

    /// By number.
    package var all: [String] { names }

    /// Number of different names.
    public var count: Int { names.count }

    /// The number of a name. Adds the name if it is new.
    package mutating func intern(_ name: String) -> ID {
        if let known = numbers[name] { return ID(number: known) }
        let number = UInt32(names.count)
        names.append(name)
        numbers[name] = number
        return ID(number: number)
    }

    /// The name with a number of this table.
    public subscript(id: ID) -> String { names[Int(id.number)] }

    /// A function that returns whether one name precedes another, bytewise. Sorts all names once.
    package func order() -> (ID, ID) -> Bool {
        var ranks = [UInt32](repeating: 0, count: names.count)
        let sorted = names.indices.sorted { names[$0].utf8.lexicographicallyPrecedes(names[$1].utf8) }
        for (rank, number) in sorted.enumerated() { ranks[number] = UInt32(rank) }
        return { [ranks] in ranks[Int($0.number)] < ranks[Int($1.number)] }
    }
}

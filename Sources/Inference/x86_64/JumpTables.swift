import CZydis

/// The jump tables of a function: where they are, and how many elements the comparison of the index lets through.
struct JumpTables {
    struct Table: Hashable {
        /// SVMA.
        var address: Int64
        /// 8: the elements are addresses. 4: they are distances from `base`.
        var elementSize: Int
        var count: Int64
        /// Whether the index was compared with the number of elements. Else the table has at most as many.
        var isExact: Bool
        /// SVMA.
        var base: Int64 = 0
    }

    /// A table with more elements is none.
    static var countLimit: Int64 { 65536 }
    /// How many elements a table has at most if nothing bounds its index.
    static var unboundedLimit: Int64 { 1024 }

    private var tables: [Table] = []
    private var numbers: [Table: Int] = [:]

    mutating func removeAll() {
        guard !tables.isEmpty else { return }
        tables.removeAll(keepingCapacity: true)
        numbers.removeAll(keepingCapacity: true)
    }

    /// What an indexed memory operand holds; unknown if its table isn't constant, or is too large.
    mutating func element(_ instruction: Instruction, _ state: SymbolicState) -> SymbolicValue {
        let size = Int(instruction.size)
        guard instruction.index < 16, size == 4 || size == 8, Int(instruction.scale) == size else { return .unknown }
        var address = instruction.displacement
        if instruction.base < 16 {
            let base = state[instruction.base]
            guard base.kind == .constant else { return .unknown }
            address &+= base.number
        } else if instruction.base != UInt8(CFIC_X86_NO_REGISTER) {
            return .unknown
        }
        let index = state[instruction.index]
        let isExact = index.kind != .masked && index.largest != nil
        let last = index.largest ?? Self.unboundedLimit - 1
        if last >= Self.countLimit { return .unknown }
        let table = Table(address: address, elementSize: size, count: last + 1, isExact: isExact)
        return SymbolicValue(size == 8 ? .tableTarget : .tableElement, 0, Int64(number(of: table)))
    }

    /// The sum of an element and a base.
    mutating func target(_ element: SymbolicValue, base: Int64) -> SymbolicValue {
        var table = tables[Int(element.number)]
        table.base = base
        return SymbolicValue(.tableTarget, 0, Int64(number(of: table)))
    }

    private mutating func number(of table: Table) -> Int {
        if let known = numbers[table] { return known }
        numbers[table] = tables.count
        tables.append(table)
        return tables.count - 1
    }

    /// The addresses that a value of kind `tableTarget` may be, without repetitions, and how many elements were read; nil if the
    /// table isn't in the file.
    ///
    /// A table whose index wasn't compared ends where the code refers to something else, or with the first element that
    /// doesn't lead into the function.
    ///
    /// - Parameter isTarget: whether an address is within the function, or a part of it.
    func targets(
        _ value: SymbolicValue, in code: ProgramCode, _ isTarget: (UInt64) -> Bool
    ) -> (addresses: [UInt64], read: Int)? {
        let table = tables[Int(value.number)]
        let (address, size) = (UInt64(bitPattern: table.address), table.elementSize)
        var count = Int(table.count)
        if !table.isExact {
            guard let rest = code.bytes(at: address, count: size) else { return nil }
            let limit = code.nextReference(after: address).map { Int(clamping: ($0 - address) / UInt64(size)) }
            count = min(count, limit ?? count, rest.count / size)
        }
        guard count > 0, let bytes = code.bytes(at: address, count: count * size) else { return nil }
        var targets: [UInt64] = []
        for index in 0..<count {
            var target: UInt64
            if size == 8 {
                target = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
            } else {
                let distance = bytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self)
                target = UInt64(bitPattern: table.base &+ Int64(distance))
            }
            if !table.isExact, !isTarget(target) { break }
            targets.append(target)
        }
        guard !targets.isEmpty else { return nil }
        let read = targets.count
        targets.sort()
        return (targets.reduce(into: []) { if $0.last != $1 { $0.append($1) } }, read)
    }
}

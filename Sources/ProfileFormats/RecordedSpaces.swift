import Search

/// The mappings that a stack went through, each once.
struct StackMappings {
    private(set) var all: [NamedProfile.Mapping] = []

    mutating func append(_ mapping: NamedProfile.Mapping?) {
        // Neighbouring frames are often in the same one.
        guard let mapping, !all.reversed().contains(mapping) else { return }
        all.append(mapping)
    }
}

/// The address spaces of a recording's processes: what their stacks went through.
///
/// A process has another one when a file is somewhere else than before, or where another one was: it executed a program, or
/// mapped something in place of something else.
struct RecordedSpaces {
    /// More than programs map.
    static let mappingLimit = 4096

    private struct Space {
        /// By rising address, without overlaps.
        private(set) var mappings: [NamedProfile.Mapping] = []
        /// AVMA - SVMA, by module.
        private var biases: [UInt32: UInt64] = [:]

        /// Whether it has a mapping, or has nothing else in its place and its module nowhere else.
        func fits(_ mapping: NamedProfile.Mapping, _ pieces: [NamedProfile.Piece]) -> Bool {
            if has(mapping) { return true }
            let piece = pieces[Int(mapping.piece)]
            return biases[piece.module] ?? piece.bias(at: mapping) == piece.bias(at: mapping)
                && isFree(mapping, pieces)
        }

        /// - Returns: whether it is new, and there is room for it.
        mutating func add(_ mapping: NamedProfile.Mapping, _ pieces: [NamedProfile.Piece]) -> Bool {
            guard !has(mapping), isFree(mapping, pieces), mappings.count < mappingLimit else { return false }
            mappings.insert(mapping, at: next(mapping))
            let piece = pieces[Int(mapping.piece)]
            biases[piece.module] = piece.bias(at: mapping)
            return true
        }

        /// The index of the first mapping that doesn't begin before another one.
        private func next(_ mapping: NamedProfile.Mapping) -> Int {
            mappings.partitioningIndex { $0.page >= mapping.page }
        }

        private func has(_ mapping: NamedProfile.Mapping) -> Bool {
            let next = next(mapping)
            return next < mappings.count && mappings[next] == mapping
        }

        private func isFree(_ mapping: NamedProfile.Mapping, _ pieces: [NamedProfile.Piece]) -> Bool {
            let next = next(mapping), size = pieces[Int(mapping.piece)].size
            if next < mappings.count, mappings[next].start - mapping.start < size { return false }
            guard next > 0 else { return true }
            let before = mappings[next - 1]
            return mapping.start - before.start >= pieces[Int(before.piece)].size
        }
    }

    private struct Known: Hashable {
        var process: Int32
        var mapping: NamedProfile.Mapping
    }

    private var spaces: [Space] = []
    /// The space of a process's last stack.
    private var latest: [Int32: Int] = [:]
    /// The space to which a process's mapping was added last.
    private var known: [Known: Int] = [:]

    /// The mappings of each space.
    var all: some Sequence<[NamedProfile.Mapping]> { spaces.lazy.map(\.mappings) }

    /// Finds the address space of a process's stack.
    ///
    /// - Parameters:
    ///   - stack: the mappings that it went through.
    ///   - pieces: the profile's.
    /// - Returns: its number in ``all``.
    mutating func add(_ stack: StackMappings, of process: Int32, pieces: [NamedProfile.Piece]) -> Int {
        let space = find(stack.all, of: process, pieces) ?? spaces.count
        if space == spaces.count { spaces.append(Space()) }
        latest[process] = space
        for mapping in stack.all where spaces[space].add(mapping, pieces) {
            known[Known(process: process, mapping: mapping)] = space
        }
        return space
    }

    /// The process's last space, or the one that it had such a mapping in, if the stack's mappings fit there.
    private func find(_ stack: [NamedProfile.Mapping], of process: Int32, _ pieces: [NamedProfile.Piece]) -> Int? {
        let earlier = stack.lazy.compactMap { known[Known(process: process, mapping: $0)] }.first
        return [latest[process], earlier].compactMap { $0 }.first { space in
            stack.allSatisfy { spaces[space].fits($0, pieces) }
        }
    }
}

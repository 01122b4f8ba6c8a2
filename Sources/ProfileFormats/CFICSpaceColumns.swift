/// The columns of address spaces in a .cfic file, and of the pieces of modules that they map. These are numbered as tasks need
/// them; what none needs isn't there.
struct SpaceColumns {
    private let profile: NamedProfile
    private var context = SpaceContext()
    /// By number of the profile: the number in the file, plus 1; 0 if it has none yet.
    private var spaceNumbers: [UInt32], pieceNumbers: [UInt32]
    private var spaceCount: UInt32 = 0

    /// Of each task.
    private var spaces = NumberWriter()
    private var counts = NumberWriter(), callees = CalleeColumns()
    private var modules = NumberWriter(), starts = NumberWriter(), sizes = NumberWriter(), offsets = NumberWriter()
    private var pages = NumberWriter()

    init(of profile: NamedProfile) {
        self.profile = profile
        spaceNumbers = [UInt32](repeating: 0, count: profile.spaces.count)
        pieceNumbers = [UInt32](repeating: 0, count: profile.pieces.count)
    }

    var columns: [NumberWriter] {
        [spaces, counts, callees.places, callees.others, modules, starts, sizes, offsets, pages]
    }

    /// Adds the next task's address space.
    mutating func add(_ space: UInt32) {
        if space == 0 { return spaces.number(0) }
        let known = spaceNumbers[Int(space)]
        if known > 0 { return spaces.number(spaceCount - known + 2) }
        spaces.number(1)
        spaceCount += 1
        spaceNumbers[Int(space)] = spaceCount
        let mappings = profile.spaces[Int(space)]
        counts.number(mappings.count)
        var before = SpaceContext.Place.none
        for mapping in mappings {
            let piece = number(of: mapping.piece)
            callees.add(piece, calledFrom: before.piece)
            pages.signed(context.difference(to: mapping.page, piece, after: &before))
        }
    }

    private mutating func number(of piece: UInt32) -> UInt32 {
        if pieceNumbers[Int(piece)] == 0 {
            let new = profile.pieces[Int(piece)]
            modules.number(new.module)
            starts.number(new.start)
            sizes.number(new.size)
            offsets.signed(Int64(bitPattern: new.start &- new.offset))
            pieceNumbers[Int(piece)] = callees.count + 1
        }
        return pieceNumbers[Int(piece)] - 1
    }
}

/// How far pieces are apart in address spaces, so that only differences are in a .cfic file: libraries that follow each other in
/// one process often do so in others.
struct SpaceContext {
    /// A mapping, or the beginning of an address space.
    struct Place {
        static let none = Place(piece: 0, page: 0)

        /// Plus 1; 0 for none.
        fileprivate(set) var piece: Int
        fileprivate(set) var page: UInt64
    }

    private struct Pair: Hashable {
        var piece: Int
        var next: UInt32
    }

    /// How far a piece was behind another one last.
    private var distances: [Pair: UInt64] = [:]

    /// How much farther the next mapping is behind the one before than the same piece was last.
    mutating func difference(to page: UInt64, _ piece: UInt32, after place: inout Place) -> Int64 {
        let distance = page &- place.page
        let last = distances.updateValue(distance, forKey: Pair(piece: place.piece, next: piece)) ?? 0
        place = Place(piece: Int(piece) + 1, page: page)
        return Int64(bitPattern: distance &- last)
    }

    /// The page of the next mapping, with this difference.
    mutating func page(_ difference: Int64, _ piece: UInt32, after place: inout Place) -> UInt64 {
        let pair = Pair(piece: place.piece, next: piece)
        let distance = (distances[pair] ?? 0) &+ UInt64(bitPattern: difference)
        distances[pair] = distance
        place = Place(piece: Int(piece) + 1, page: place.page &+ distance)
        return place.page
    }
}

/// Reads the address spaces of tasks: what ``SpaceColumns`` wrote.
enum CFICSpaceReader {
    /// - Returns: the number of each task's address space in the profile, to which it is added.
    static func read(
        _ taskCount: Int, from numbers: inout NumberReader, into profile: inout NamedProfile
    ) throws(ProfileProblem) -> [UInt32] {
        var count = 0
        let tasks = try numbers.column(taskCount) { numbers throws(ProfileProblem) in
            let code = Int(try numbers.index(below: count + 2, "address space"))
            if code == 1 { count += 1 }
            return code == 0 ? 0 : UInt32(code == 1 ? count : count - code + 2)
        }
        var sum = 0
        let counts = try numbers.column(count) { numbers throws(ProfileProblem) in
            let mappings = Int(try numbers.number(upTo: UInt64(1 << 32 - 2 - sum), "number of mappings"))
            sum += mappings
            return mappings
        }
        // It reads something for each mapping, so that memory is in proportion to the file.
        var callees = try CalleeSequence(sum, from: &numbers, "a piece's place")
        try readPieces(callees.newCount, &numbers, into: &profile)
        var context = SpaceContext()
        for (index, count) in counts.enumerated() {
            let space = try readSpace(count, &callees, &context, &numbers, profile)
            guard profile.space(of: space) == index + 1 else {
                throw numbers.problem("an address space is empty, or there twice")
            }
        }
        return tasks
    }

    private static func readPieces(
        _ count: Int, _ numbers: inout NumberReader, into profile: inout NamedProfile
    ) throws(ProfileProblem) {
        let moduleCount = profile.modules.count
        let modules = try numbers.column(count) { numbers throws(ProfileProblem) in
            try numbers.index(below: moduleCount, "module")
        }
        let starts = try numbers.column(count) { numbers throws(ProfileProblem) in try numbers.number("address") }
        let sizes = try numbers.column(count) { numbers throws(ProfileProblem) in try numbers.number("size") }
        for (index, module) in modules.enumerated() {
            let (start, size) = (starts[index], sizes[index])
            let offset = start &- UInt64(bitPattern: try numbers.signed("offset"))
            guard size > 0, size <= .max - start else { throw numbers.problem("a piece's size is out of bounds") }
            let number = profile.number(of: .init(module: module, start: start, size: size, offset: offset))
            guard number == index else { throw numbers.problem("a piece is there twice") }
        }
    }

    private static func readSpace(
        _ count: Int, _ callees: inout CalleeSequence, _ context: inout SpaceContext, _ numbers: inout NumberReader,
        _ profile: NamedProfile
    ) throws(ProfileProblem) -> [NamedProfile.Mapping] {
        var mappings: [NamedProfile.Mapping] = [], place = SpaceContext.Place.none
        for _ in 0..<count {
            guard let piece = callees.next(calledFrom: place.piece) else {
                throw numbers.problem("a piece is out of bounds")
            }
            let page = context.page(try numbers.signed("mapping"), piece, after: &place)
            let mapping = NamedProfile.Mapping(page: page, piece: piece)
            guard page <= (.max - profile.pieces[Int(piece)].size) / NamedProfile.Mapping.pageSize else {
                throw numbers.problem("a mapping's address is out of bounds")
            }
            if let last = mappings.last {
                guard page > last.page, mapping.start - last.start >= profile.pieces[Int(last.piece)].size else {
                    throw numbers.problem("mappings overlap, or are not in order")
                }
            }
            mappings.append(mapping)
        }
        return mappings
    }
}

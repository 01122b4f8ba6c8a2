import CUnwindTable

/// A run of 4-byte words in table memory: the place of the first, and their number.
struct Span: Equatable {
    var place: UInt32
    var count: Int

    var end: UInt32 { place + UInt32(count) }
}

/// Allocates words of the elements.
///
/// Each allocation lies within one element, except runs of whole elements. New elements are taken in ascending order.
/// The rests of elements and freed spans are kept by size and used first.
struct SpanAllocator {
    /// The number of elements that places can address.
    static let elementLimit = Int(CFIC_ELEMENTS_MAX)

    let elementWords: Int
    /// The number of elements that may be used.
    var limit: Int { didSet { limit = min(limit, Self.elementLimit) } }
    /// The number of elements used so far, which are the first ones.
    private(set) var elementCount = 0
    /// The number of words in use.
    private(set) var usedWords = 0
    /// Sizes of free spans by place, and places of free spans by the place after their end.
    private var byStart: [UInt32: Int] = [:]
    private var byEnd: [UInt32: UInt32] = [:]
    /// Places of free spans by the logarithm of their size. May contain duplicates, and spans that have been taken or
    /// enlarged since; `byStart` decides.
    private var bySize: [[UInt32]]

    /// - Parameter elementWords: a power of two.
    init(limit: Int = Self.elementLimit, elementWords: Int = Int(CFIC_ELEMENT_WORDS)) {
        self.limit = min(limit, Self.elementLimit)
        self.elementWords = elementWords
        bySize = Array(repeating: [], count: Self.sizeClass(elementWords) + 1)
    }

    /// The number of entries by size, including outdated ones.
    var noteCount: Int { bySize.reduce(0) { $0 + $1.count } }

    /// Allocates a span that starts at a multiple of `alignment` words, a power of two; nil if all elements are in use.
    mutating func allocate(_ count: Int, alignment: Int = 1) -> Span? {
        precondition(count > 0 && count <= elementWords, "fits an element")
        if let span = takeFree(count, alignment: alignment) { return span }
        guard let element = freshElements(1) else { return nil }
        release(Span(place: element, count: elementWords))
        return takeFree(count, alignment: alignment)
    }

    /// Allocates consecutive elements, the last of which may be used partly; nil if there are no more.
    mutating func allocateElements(words count: Int) -> Span? {
        let elements = (count + elementWords - 1) / elementWords
        guard let place = takeFreeElements(elements) ?? freshElements(elements) else { return nil }
        let rest = elements * elementWords - count
        if rest > 0 { release(Span(place: place + UInt32(count), count: rest)) }
        usedWords += count
        return Span(place: place, count: count)
    }

    /// Allocates a free span from the largest size class, at least `minimum` words, else an element; nil if all
    /// elements are in use. The caller fills it from the start and frees the rest.
    mutating func allocateRest(minimum: Int) -> Span? {
        for size in stride(from: bySize.count - 1, through: 0, by: -1) {
            while let place = bySize[size].last {
                guard let count = byStart[place], Self.sizeClass(count) == size else {
                    bySize[size].removeLast()
                    continue
                }
                guard count >= minimum else { break }
                take(place, count)
                usedWords += count
                return Span(place: place, count: count)
            }
            if 1 << size < minimum { break }
        }
        guard let place = freshElements(1) else { return nil }
        usedWords += elementWords
        return Span(place: place, count: elementWords)
    }

    /// The number of words from a place to the end of its element.
    func words(toEndOfElementWith place: UInt32) -> Int { elementWords - Int(place) % elementWords }

    /// Frees a span, which must not be read any more.
    mutating func free(_ span: Span) {
        guard span.count > 0 else { return }
        usedWords -= span.count
        release(span)
    }

    /// Gives up the elements after the first `count` ones, in which nothing is in use, and takes no more of them.
    mutating func limit(toFirst count: Int) {
        for element in count..<max(count, elementCount) {
            let place = UInt32(element * elementWords)
            if let size = byStart[place] { take(place, size) }
        }
        elementCount = min(elementCount, count)
        limit = count
    }

    private mutating func freshElements(_ count: Int) -> UInt32? {
        guard count <= limit - elementCount else { return nil }
        let place = UInt32(elementCount * elementWords)
        elementCount += count
        return place
    }

    /// Takes the first run of `count` free elements.
    private mutating func takeFreeElements(_ count: Int) -> UInt32? {
        var run = 0
        for element in 0..<elementCount {
            run = byStart[UInt32(element * elementWords)] == elementWords ? run + 1 : 0
            guard run == count else { continue }
            let first = element + 1 - count
            for taken in first...element { take(UInt32(taken * elementWords), elementWords) }
            return UInt32(first * elementWords)
        }
        return nil
    }

    private mutating func takeFree(_ count: Int, alignment: Int) -> Span? {
        // A span of a larger class is always large enough, even after alignment; one of the same class may be.
        for size in Self.sizeClass(count)..<bySize.count {
            var index = bySize[size].count - 1
            while index >= 0 {
                let place = bySize[size][index]
                guard let found = byStart[place], Self.sizeClass(found) == size else {
                    bySize[size].remove(at: index)
                    index -= 1
                    continue
                }
                let aligned = (Int(place) + alignment - 1) & -alignment
                let skipped = aligned - Int(place)
                if skipped + count <= found {
                    take(place, found)
                    if skipped > 0 { release(Span(place: place, count: skipped)) }
                    let rest = found - skipped - count
                    if rest > 0 { release(Span(place: UInt32(aligned + count), count: rest)) }
                    usedWords += count
                    return Span(place: UInt32(aligned), count: count)
                }
                index -= 1
            }
        }
        return nil
    }

    private mutating func take(_ place: UInt32, _ count: Int) {
        byStart[place] = nil
        byEnd[place + UInt32(count)] = nil
    }

    /// Frees a span, joined with its free neighbours in the same element.
    private mutating func release(_ span: Span) {
        var place = span.place
        var count = span.count
        if Int(place) % elementWords != 0, let before = byEnd[place], let size = byStart[before] {
            take(before, size)
            place = before
            count += size
        }
        let end = place + UInt32(count)
        if Int(end) % elementWords != 0, let size = byStart[end] {
            take(end, size)
            count += size
        }
        // A run of elements is freed element by element.
        while Int(place) / elementWords != (Int(place) + count - 1) / elementWords {
            let inElement = elementWords - Int(place) % elementWords
            insert(place, inElement)
            place += UInt32(inElement)
            count -= inElement
        }
        insert(place, count)
    }

    private mutating func insert(_ place: UInt32, _ count: Int) {
        byStart[place] = count
        byEnd[place + UInt32(count)] = place
        let size = Self.sizeClass(count)
        bySize[size].append(place)
        // There are more entries than free spans, so most are outdated.
        if bySize[size].count > 2 * byStart.count + 64 {
            bySize[size] = Set(bySize[size]).filter { byStart[$0].map(Self.sizeClass) == size }.sorted()
        }
    }

    private static func sizeClass(_ count: Int) -> Int { Int.bitWidth - 1 - count.leadingZeroBitCount }
}

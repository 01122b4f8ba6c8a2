@testable import KernelUnwinder
import TestFixtures
import Testing

/// Allocation of words of table memory.
@Suite struct SpanAllocatorTests {
    /// Smaller than the kernel's, so that tests use many elements.
    private static let element = 1 << 14

    /// An allocator that expectations can change.
    private final class Memory {
        private var allocator = SpanAllocator(elementWords: element)

        var usedWords: Int { allocator.usedWords }
        var elementCount: Int { allocator.elementCount }
        var noteCount: Int { allocator.noteCount }
        func allocate(_ count: Int, alignment: Int = 1) -> Span? { allocator.allocate(count, alignment: alignment) }
        func allocateElements(words: Int) -> Span? { allocator.allocateElements(words: words) }
        func allocateRest(minimum: Int) -> Span? { allocator.allocateRest(minimum: minimum) }
        func free(_ span: Span) { allocator.free(span) }
    }

    /// A model of the used words, with the requirements on each allocated span.
    private struct Model {
        var used: [Bool] = []
        var spans: [Span] = []

        mutating func take(_ span: Span, alignment: Int = 1, isRun: Bool = false) {
            let (start, end) = (Int(span.place), Int(span.place) + span.count)
            #expect(start % alignment == 0)
            if isRun { #expect(start % element == 0) } else { #expect(start / element == (end - 1) / element) }
            if used.count < end { used += Array(repeating: false, count: end - used.count) }
            #expect(!used[start..<end].contains(true), "words are handed out twice")
            for word in start..<end { used[word] = true }
            if span.count > 0 { spans.append(span) }
        }

        mutating func give(_ index: Int) -> Span {
            let span = spans.remove(at: index)
            for word in Int(span.place)..<Int(span.place) + span.count { used[word] = false }
            return span
        }

        var words: Int { spans.reduce(0) { $0 + $1.count } }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func spansNeverOverlapNorCrossAnElement(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let allocator = Memory()
        var model = Model()
        for turn in 0..<4000 {
            // Use grows and shrinks several times.
            let isGrowing = turn / 500 % 2 == 0
            if !model.spans.isEmpty, Int.random(in: 0..<10, using: &random) < (isGrowing ? 3 : 7) {
                allocator.free(model.give(Int.random(in: 0..<model.spans.count, using: &random)))
            } else {
                let size =
                    Bool.random(using: &random)
                    ? Int.random(in: 1...40, using: &random) : Int.random(in: 1...Self.element, using: &random)
                switch Int.random(in: 0..<8, using: &random) {
                case 0:
                    let count = size + Self.element * Int.random(in: 0...2, using: &random)
                    model.take(try #require(allocator.allocateElements(words: count)), isRun: true)
                case 1:
                    let rest = try #require(allocator.allocateRest(minimum: size))
                    #expect(rest.count >= size)
                    // Keep the beginning, as the code that fills spans does.
                    model.take(Span(place: rest.place, count: size))
                    allocator.free(Span(place: rest.place + UInt32(size), count: rest.count - size))
                default:
                    let alignment = 1 << Int.random(in: 0...3, using: &random)
                    model.take(try #require(allocator.allocate(size, alignment: alignment)), alignment: alignment)
                }
            }
            #expect(allocator.usedWords == model.words)
            #expect(model.used.count <= allocator.elementCount * Self.element)
        }
    }

    @Test func freedNeighboursAreOneSpanAgain() throws {
        let allocator = Memory()
        let spans = try (0..<64).map { _ in try #require(allocator.allocate(Self.element / 64)) }
        #expect(allocator.elementCount == 1)
        // Every other span first, so that freed spans are joined in both directions.
        for span in spans.enumerated().filter({ $0.offset % 2 == 0 }) { allocator.free(span.element) }
        for span in spans.enumerated().filter({ $0.offset % 2 == 1 }) { allocator.free(span.element) }
        #expect(allocator.usedWords == 0)
        #expect(allocator.allocate(Self.element) == Span(place: 0, count: Self.element))
        #expect(allocator.elementCount == 1)
    }

    @Test func whatIsLeftOfARunIsUsed() throws {
        let allocator = Memory()
        let run = try #require(allocator.allocateElements(words: Self.element + 100))
        let rest = try #require(allocator.allocate(Self.element - 100))
        #expect(allocator.elementCount == 2 && rest.place == run.end)
    }

    /// Repeatedly adding and removing a table must not take new memory each time.
    @Test func freedRunsAreUsedForRunsAgain() throws {
        let allocator = Memory()
        let kept = try #require(allocator.allocate(10))
        for _ in 0..<100 {
            let long = try #require(allocator.allocateElements(words: 3 * Self.element - 5))
            let short = try #require(allocator.allocateElements(words: Self.element + 1))
            allocator.free(long)
            allocator.free(short)
        }
        #expect(allocator.elementCount <= 6)
        allocator.free(kept)
        #expect(allocator.usedWords == 0)
    }

    @Test func alignmentIsKeptWhereTheOnlyFreeSpanIsNotAligned() throws {
        let allocator = Memory()
        let odd = try #require(allocator.allocate(3))
        let even = try #require(allocator.allocate(8, alignment: 8))
        #expect(odd.place == 0 && even.place == 8)
        // Skipped words can still be allocated.
        #expect(allocator.allocate(5) == Span(place: 3, count: 5))
    }

    @Test func exhaustionGivesNothingAndTakesNothing() throws {
        let allocator = Memory()
        let limit = SpanAllocator.elementLimit
        let most = try #require(allocator.allocateElements(words: (limit - 1) * Self.element))
        #expect(allocator.allocateElements(words: 2 * Self.element) == nil)
        let last = try #require(allocator.allocate(Self.element))
        #expect(allocator.allocate(1) == nil && allocator.allocateRest(minimum: 1) == nil)
        #expect(allocator.usedWords == most.count + last.count)
        #expect(Int(last.place) + last.count == limit * Self.element)
        allocator.free(last)
        #expect(allocator.allocate(1) != nil)
    }

    @Test func lastWordOfAllHasAPlace() {
        #expect(SpanAllocator.elementLimit * SpanAllocator().elementWords == 1 << 30)
    }

    /// A profiler may run for months.
    @Test func bookkeepingDoesNotGrowWithTime() throws {
        let allocator = Memory()
        for _ in 0..<20_000 {
            let spans = try [100, 300, 100].map { try #require(allocator.allocate($0)) }
            for span in spans { allocator.free(span) }
        }
        #expect(allocator.noteCount < 1000)
    }
}

import Search
import Testing

@Suite struct SearchTests {
    /// All sorted arrays of up to six of five numbers, some of them equal.
    private static let arrays = (0...6).flatMap { count in
        var found: [[Int]] = [[]]
        for _ in 0..<count { found = found.flatMap { array in ((array.last ?? 1)...5).map { array + [$0] } } }
        return found
    }

    @Test func partitioningIndexIsThatOfTheFirstBehind() {
        for array in Self.arrays {
            for value in 0...6 {
                #expect(
                    array.partitioningIndex { $0 >= value } == array.firstIndex { $0 >= value } ?? array.endIndex,
                    "\(array) \(value)")
            }
        }
    }

    @Test func lastIndexIsThatOfTheLastAtMost() {
        for array in Self.arrays {
            for value in 0...6 {
                #expect(
                    array.lastIndex(atMost: value) { $0 } == array.lastIndex { $0 <= value }, "\(array) \(value)")
            }
        }
    }

    @Test func slicesAndRangesKeepTheirIndices() {
        #expect([1, 3, 5, 7][1...].lastIndex(atMost: 5) { $0 } == 2)
        #expect([1, 3, 5, 7][1...].lastIndex(atMost: 2) { $0 } == nil)
        #expect((10..<20).partitioningIndex { $0 * $0 > 200 } == 15)
        #expect([1, 3, 5, 7][2...].partitioningIndex { _ in false } == 4)
    }

    /// A million elements are searched with a score of questions.
    @Test func questionsAreFew() {
        var questions = 0
        let found = (0..<1_000_000).partitioningIndex { number in
            questions += 1
            return number >= 777_777
        }
        #expect(found == 777_777 && questions <= 20)
    }
}

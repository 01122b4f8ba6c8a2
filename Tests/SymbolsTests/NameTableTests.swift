import Symbols
import Testing

/// Names by number.
@Suite struct NameTableTests {
    @Test func nameKeepsItsNumber() {
        var names = NameTable()
        let ids = ["f", "g", "f", "", "g"].map { names.intern($0) }
        #expect(names.count == 3 && ids[0] == ids[2] && ids[1] == ids[4])
        #expect(ids.map { names[$0] } == ["f", "g", "f", "", "g"])
    }

    @Test func orderIsThatOfTheirBytes() {
        var names = NameTable()
        let ids = ["b", "\u{e9}", "ab", "z", "", "B", "a"].map { names.intern($0) }
        #expect(ids.sorted(by: names.order()).map { names[$0] } == ["", "B", "a", "ab", "b", "z", "\u{e9}"])
    }
}

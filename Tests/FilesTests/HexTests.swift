import Files
import Testing

@Suite struct HexTests {
    @Test func bytesHaveTwoDigits() {
        #expect(Hex.text([0x00, 0x0a, 0xf0, 0xff]) == "000af0ff")
        #expect(Hex.text([]) == "")
    }

    @Test(arguments: [(0, 1, "0"), (0, 4, "0000"), (0x1f, 1, "1f"), (0x1f, 4, "001f"), (.max, 16, "ffffffffffffffff")])
    func numbersHaveAtLeastSoManyDigits(_ number: UInt64, _ digits: Int, _ text: String) {
        #expect(Hex.text(number, digits: digits) == text)
    }

    @Test func numbersForPeopleBeginWith0x() {
        #expect([0, 0x12, UInt64.max].map(\.hex) == ["0x0", "0x12", "0xffffffffffffffff"])
    }

    @Test func onlyLowercaseDigitsAreText() {
        #expect(Hex.isText("0123456789abcdef") && Hex.isText(""))
        #expect(["A", "g", "0x", " 1", "١"].allSatisfy { !Hex.isText($0) })
    }
}

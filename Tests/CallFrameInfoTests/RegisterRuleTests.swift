import CallFrameInfo
import Testing

/// Rules in 64 bits: an operand is exact, or the rule is too wide.
@Suite struct RegisterRuleTests {
    @Test(arguments: [0..<0, 0..<1, 7..<9, 0xffff_ffff..<0xffff_ffff + 0xff_ffff])
    func expressionThatFitsKeepsItsRange(block: Range<Int>) {
        let rule = RegisterRule(.valueExpression, block: block)
        #expect(rule.kind == .valueExpression && rule.block == block)
    }

    /// Listings read sections of 4 GiB and more.
    @Test(arguments: [0..<0x100_0000, 0x1_0000_0000..<0x1_0000_0001, 0x1_0000_0000..<0x1_0000_0000])
    func expressionThatDoesNotFitIsTooWide(block: Range<Int>) {
        #expect(RegisterRule(.expression, block: block).kind == .tooWide)
        #expect(CFARule.expression(block).expression.kind == .tooWide)
    }

    @Test(arguments: [0, -1, 1 << 55 - 1, -1 << 55] as [Int64])
    func offsetThatFitsIsExact(offset: Int64) {
        let rule = RegisterRule(.offset, signed: offset)
        #expect(rule.kind == .offset && rule.offset == offset)
    }

    @Test(arguments: [1 << 55, -1 << 55 - 1, .max, .min] as [Int64])
    func offsetThatDoesNotFitIsTooWide(offset: Int64) {
        #expect(RegisterRule(.offset, signed: offset).kind == .tooWide)
        #expect(RegisterRule(.register, unsigned: 1 << 56).kind == .tooWide)
    }
}

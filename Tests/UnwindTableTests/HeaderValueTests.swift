import CUnwindTable
import Testing
import UnwindTable

/// The Swift types of rules, operations and pages have the sizes and values of the C headers.
@Suite struct HeaderValueTests {
    @Test func sizes() {
        #expect(MemoryLayout<Rule>.stride == MemoryLayout<cfic_rule>.size)
        #expect(MemoryLayout<Operation>.stride == MemoryLayout<cfic_op>.size)
        let sizes = (0..<CFIC_SECTION_COUNT.rawValue).map { TableHeader.elementSize(cfic_section_index($0)) }
        #expect(sizes == [16, 8, 16, 4, 4, 12, 12, 0, 4])
    }

    @Test func operations() {
        #expect(Operation.Code.allCases.map { UInt32($0.rawValue) } == Array(0..<CFIC_OP_COUNT.rawValue))
        let named: [(Operation.Code, cfic_operation)] = [
            (.end, CFIC_OP_END), (.register, CFIC_OP_REGISTER), (.pc, CFIC_OP_PC), (.cfa, CFIC_OP_CFA),
            (.constant, CFIC_OP_CONST), (.load, CFIC_OP_LOAD), (.duplicate, CFIC_OP_DUP), (.drop, CFIC_OP_DROP),
            (.swap, CFIC_OP_SWAP), (.rotate, CFIC_OP_ROT), (.negate, CFIC_OP_NEG), (.not, CFIC_OP_NOT),
            (.absolute, CFIC_OP_ABS), (.add, CFIC_OP_ADD), (.subtract, CFIC_OP_SUB), (.multiply, CFIC_OP_MUL),
            (.divide, CFIC_OP_DIV), (.modulo, CFIC_OP_MOD), (.and, CFIC_OP_AND), (.or, CFIC_OP_OR),
            (.xor, CFIC_OP_XOR), (.shiftLeft, CFIC_OP_SHL), (.shiftRight, CFIC_OP_SHR),
            (.shiftRightSigned, CFIC_OP_SAR), (.equal, CFIC_OP_EQ), (.notEqual, CFIC_OP_NE), (.less, CFIC_OP_LT),
            (.lessOrEqual, CFIC_OP_LE), (.greater, CFIC_OP_GT), (.greaterOrEqual, CFIC_OP_GE),
        ]
        #expect(named.count == Int(CFIC_OP_COUNT.rawValue))
        for (code, operation) in named { #expect(UInt32(code.rawValue) == operation.rawValue, "\(code)") }
    }

    @Test func rules() {
        let kinds: [(Rule.CFAKind, cfic_cfa_kind)] = [
            (.unknown, CFIC_CFA_NONE), (.endOfStack, CFIC_CFA_END), (.register, CFIC_CFA_REGISTER),
            (.dereferenced, CFIC_CFA_DEREF), (.expression, CFIC_CFA_EXPRESSION),
        ]
        #expect(kinds.count == Int(CFIC_CFA_KIND_COUNT.rawValue))
        for (kind, ours) in kinds { #expect(UInt32(kind.rawValue) == ours.rawValue, "\(kind)") }
        let values: [(Rule.Value.Kind, cfic_value_kind)] = [
            (.same, CFIC_VALUE_SAME), (.atCFA, CFIC_VALUE_AT_CFA), (.atRegister, CFIC_VALUE_AT_REGISTER),
            (.register, CFIC_VALUE_REGISTER), (.cfa, CFIC_VALUE_CFA), (.expression, CFIC_VALUE_EXPRESSION),
            (.atExpression, CFIC_VALUE_AT_EXPRESSION), (.undefined, CFIC_VALUE_UNDEFINED),
        ]
        #expect(values.count == Int(CFIC_VALUE_KIND_COUNT.rawValue))
        for (kind, ours) in values { #expect(UInt32(kind.rawValue) == ours.rawValue, "\(kind)") }
    }

    @Test func pages() {
        let kinds: [(TableView.PageKind, cfic_page_kind)] = [
            (.uniform, CFIC_PAGE_UNIFORM), (.sparse, CFIC_PAGE_SPARSE), (.dense, CFIC_PAGE_DENSE),
            (.quarters, CFIC_PAGE_QUARTERS),
        ]
        for (kind, ours) in kinds { #expect(kind.rawValue == ours.rawValue, "\(kind)") }
    }
}

/// One slot of BPF code, eight bytes (RFC 9669).
struct Instruction: Equatable {
    let opcode: UInt8
    let destination: UInt8
    let source: UInt8
    let offset: Int16
    let immediate: Int32

    static let size = 8

    enum Kind: Equatable {
        /// `BPF_LD | BPF_DW | BPF_IMM`, which takes two slots.
        case wideConstant
        /// `BPF_LD`: absolute and indirect loads from packets.
        case packetLoad
        case memoryLoad
        case memoryStore
        case immediateStore
        case arithmetic(Operation, usesRegister: Bool)
        case jump(Condition)
        case call
        case exit
        case unknown
    }

    enum Operation: UInt8 {
        case add, subtract, multiply, divide, or, and, shiftLeft, shiftRight, negate, modulo, xor, move
        case shiftRightSigned, endianness
    }

    enum Condition: UInt8 {
        case always = 0, equal, greater, greaterOrEqual, anyBit, notEqual, greaterSigned, greaterOrEqualSigned
        case less = 10, lessOrEqual, lessSigned, lessOrEqualSigned, mayGoto

        /// In C's notation.
        var text: String {
            switch self {
            case .equal: "=="
            case .notEqual: "!="
            case .greater, .greaterSigned: ">"
            case .greaterOrEqual, .greaterOrEqualSigned: ">="
            case .less, .lessSigned: "<"
            case .lessOrEqual, .lessOrEqualSigned: "<="
            case .anyBit: "&"
            case .always, .mayGoto: ""
            }
        }

        /// The text of the negated condition.
        var oppositeText: String {
            switch self {
            case .equal: "!="
            case .notEqual: "=="
            case .greater, .greaterSigned: "<="
            case .greaterOrEqual, .greaterOrEqualSigned: "<"
            case .less, .lessSigned: ">="
            case .lessOrEqual, .lessOrEqualSigned: ">"
            case .anyBit: "has no bit of"
            case .always, .mayGoto: ""
            }
        }
    }

    enum Mode: UInt8 {
        case immediate = 0, absolute, indirect, memory, signExtending, unused, atomic
    }

    /// Values of the source register field that state what a call or a wide constant refers to.
    enum Pseudo {
        static let call: UInt8 = 1
        static let kernelFunction: UInt8 = 2
        static let kernelVariable: UInt8 = 3
        static let function: UInt8 = 4
    }

    init(opcode: UInt8, destination: UInt8 = 0, source: UInt8 = 0, offset: Int16 = 0, immediate: Int32 = 0) {
        self.opcode = opcode
        self.destination = destination
        self.source = source
        self.offset = offset
        self.immediate = immediate
    }

    /// Bytes that a load or a store accesses.
    var accessSize: Int {
        switch opcode & 0x18 {
        case 0: 4
        case 8: 2
        case 0x10: 1
        default: 8
        }
    }

    var usesRegister: Bool { opcode & 8 != 0 }
    var mode: Mode? { Mode(rawValue: opcode >> 5) }

    /// Only for arithmetic and jumps; loads and stores have a size.
    var is64Bit: Bool { opcode & 7 == 7 || opcode & 7 == 5 }

    var kind: Kind {
        switch opcode & 7 {
        case 0: opcode == 0x18 ? .wideConstant : .packetLoad
        case 1: .memoryLoad
        case 2: .immediateStore
        case 3: .memoryStore
        case 4, 7: Operation(rawValue: opcode >> 4).map { .arithmetic($0, usesRegister: usesRegister) } ?? .unknown
        default:
            switch opcode {
            case 0x85, 0x8d: .call
            case 0x95: .exit
            default: Condition(rawValue: opcode >> 4).map(Kind.jump) ?? .unknown
            }
        }
    }

    /// The distance of a jump's target from the next slot, in slots.
    var jumpDistance: Int { opcode == 0x06 ? Int(immediate) : Int(offset) }
}

import UnwindTable

/// A frame's registers and memory, generated from a seed, to evaluate and compare rules on.
///
/// All memory is readable. Its words differ from address to address, so rules that read different addresses get
/// different values.
public struct Snapshot: FrameContext, Sendable {
    /// By DWARF number.
    public var registers: [UInt64]
    public var pc: UInt64
    public let isAArch64: Bool
    private let seed: UInt64

    public init(seed: UInt64, pc: UInt64, machine: TableMachine) {
        self.seed = seed
        isAArch64 = machine == .aarch64
        self.pc = pc
        // User addresses, multiples of 16 as stack pointers are.
        registers = (0..<32).map { Self.mix(seed ^ $0 &* 0x1_0001) & 0x7fff_ffff_fff0 }
    }

    public func register(_ number: UInt64) -> UInt64? {
        if number < 32, number != 16 || isAArch64 { return registers[Int(number)] }
        // The pc's column (System V ABI, AMD64 supplement, §3.6.2; DWARF for the Arm 64-bit Architecture, §4.1).
        return number == (isAArch64 ? 32 : 16) ? pc : nil
    }

    public func number(at address: UInt64, size: Int) -> UInt64? {
        let offset = (address & 7) * 8
        var number = word(address &>> 3) &>> offset
        if offset != 0 { number |= word(address &>> 3 &+ 1) &<< (64 - offset) }
        return size == 8 ? number : number & (1 << UInt64(8 * size) - 1)
    }

    private func word(_ number: UInt64) -> UInt64 { Self.mix(seed &+ number &* 0x9e37_79b9_7f4a_7c15) }

    /// The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
    private static func mix(_ seed: UInt64) -> UInt64 {
        var word = seed &+ 0x9e37_79b9_7f4a_7c15
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

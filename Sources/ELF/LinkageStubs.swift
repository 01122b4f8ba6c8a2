/// The stubs of an image's procedure linkage table. Each jumps to the address in a slot, which a relocation fills in.
/// The stub's code tells which slot, and the relocation tells which symbol.
struct LinkageStubs {
    struct Stub {
        /// SVMA of the first byte.
        var start: UInt64
        /// In bytes.
        var size: UInt64
        var target: Target
    }

    /// The address that a relocation puts into a slot.
    enum Target {
        /// The address of a dynamic symbol, by its number.
        case symbol(Int)
        /// The address that the resolver function at this SVMA returns (STT_GNU_IFUNC).
        case address(UInt64)
    }

    /// A stub, as decoded from its code.
    struct Code {
        var start: UInt64
        var size: UInt64
        var slot: Slot
    }

    enum Slot: Hashable {
        /// SVMA of the slot.
        case address(UInt64)
        /// Number of the relocation in `.rela.plt` that fills in the slot.
        case number(UInt32)
    }

    /// The machine's numbers of the relocation types that fill in slots.
    struct Relocations {
        var jumpSlot: UInt32
        var globalData: UInt32
        var indirect: UInt32
    }

    private(set) var all: [Stub] = []

    private static let names: Set = [".plt", ".plt.sec", ".plt.got", ".plt.bnd", ".iplt"]

    init(of image: ELFImage, _ sections: [Section]) throws(ELFError) {
        guard image.is64Bit, !image.isBigEndian, image.fileType != .relocatable,
            let relocations = Self.relocations(of: image.machine)
        else { return }
        var code: [Code] = []
        for section in sections where Self.names.contains(section.name) && section.isExecutable && !section.hasNoBits {
            let bytes = try image.bytes(of: section)
            switch image.machine {
            case .x86_64: code += Self.x86_64Stubs(bytes, section)
            default: code += Self.aarch64Stubs(bytes, section)
            }
        }
        guard !code.isEmpty else { return }
        let targets = try Self.targets(Set(code.map(\.slot)), relocations, image, sections)
        all = code.compactMap { stub in
            targets[stub.slot].map { Stub(start: stub.start, size: stub.size, target: $0) }
        }
    }

    private static func relocations(of machine: Machine) -> Relocations? {
        switch machine {
        case .x86_64: x86_64Relocations
        case .aarch64: aarch64Relocations
        default: nil
        }
    }

    /// The targets of those of these slots that a relocation fills in.
    private static func targets(
        _ slots: Set<Slot>, _ kinds: Relocations, _ image: ELFImage, _ sections: [Section]
    ) throws(ELFError) -> [Slot: Target] {
        var targets: [Slot: Target] = [:]
        // SHT_RELA; an entry has 24 bytes.
        for section in sections where section.type == 4 && section.isAllocated {
            let bytes = try image.bytes(of: section)
            for number in 0..<bytes.count / 24 {
                guard let offset = bytes.integer(UInt64.self, at: number * 24, bigEndian: false),
                    let info = bytes.integer(UInt64.self, at: number * 24 + 8, bigEndian: false),
                    let addend = bytes.integer(UInt64.self, at: number * 24 + 16, bigEndian: false)
                else { break }
                let kind = UInt32(truncatingIfNeeded: info)
                let target: Target
                switch kind {
                case kinds.jumpSlot, kinds.globalData: target = .symbol(Int(info >> 32))
                case kinds.indirect: target = .address(addend)
                default: continue
                }
                if slots.contains(.address(offset)) { targets[.address(offset)] = target }
                if section.name == ".rela.plt", slots.contains(.number(UInt32(clamping: number))) {
                    targets[.number(UInt32(clamping: number))] = target
                }
            }
        }
        return targets
    }
}

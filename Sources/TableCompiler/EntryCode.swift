import ELF
import TableBuilder
import UnwindTable

extension EntryPoint {
    /// The entry point of an executable or a dynamic linker; nil for other images.
    ///
    /// Throws `ELFError` if the image can't be read.
    init?(of image: ELFImage) throws(ELFError) {
        guard let machine = TableMachine(rawValue: image.machine.rawValue),
            try image.startsProgram({ EntryCode(bytes: $0, machine: machine).startsStack })
        else { return nil }
        // `_start` functions of C libraries are 20 to 60 bytes long.
        let code = EntryCode(bytes: try image.code(at: image.entryAddress, limit: 64), machine: machine)
        let targets = image.executableSegments
        let address = image.entryAddress
        let isCode = { (target: UInt64) in targets.contains { $0.contains(target) } }
        self.init(address: address, limit: address + UInt64(code.endOfFirstCall(at: address, isCode: isCode)))
    }
}

/// The first instructions at an entry point.
struct EntryCode {
    let bytes: [UInt8]
    let machine: TableMachine

    /// Whether they pass the initial stack pointer on as an argument, or end the chain of frame pointers.
    var startsStack: Bool {
        switch machine {
        case .x86_64:
            // Skip ENDBR64.
            let code = bytes.starts(with: [0xf3, 0x0f, 0x1e, 0xfa]) ? Array(bytes.dropFirst(4)) : bytes
            // mov %rsp, %rdi; xor %ebp, %ebp; xor %rbp, %rbp
            return [[0x48, 0x89, 0xe7], [0x31, 0xed], [0x48, 0x31, 0xed]].contains { code.starts(with: $0) }
        case .aarch64:
            // mov x0, sp; mov x29, #0
            return (0..<4).contains { [0x9100_03e0, 0xd280_001d].contains(instruction($0)) }
        }
    }

    /// The number of bytes up to the end of the first call; all of them if there is no call.
    ///
    /// - Parameter isCode: whether an SVMA can be the target of a call. On x86-64, bytes that look like a direct call
    ///   may be part of another instruction; this excludes most of those.
    func endOfFirstCall(at address: UInt64, isCode: (UInt64) -> Bool) -> Int {
        switch machine {
        case .x86_64:
            for offset in bytes.indices {
                switch bytes[offset] {
                case 0xe8 where offset + 5 <= bytes.count:
                    let distance = UInt64(bitPattern: Int64(Int32(bitPattern: word(offset + 1))))
                    if isCode(address &+ UInt64(offset + 5) &+ distance) { return offset + 5 }
                case 0xff where offset + 6 <= bytes.count && bytes[offset + 1] == 0x15: return offset + 6
                case 0xff where offset + 2 <= bytes.count && bytes[offset + 1] & 0xf8 == 0xd0: return offset + 2
                default: break
                }
            }
        case .aarch64:
            for index in 0..<bytes.count / 4 {
                let instruction = instruction(index)
                if instruction & 0xfc00_0000 == 0x9400_0000 || instruction & 0xffff_fc1f == 0xd63f_0000 {
                    return 4 * index + 4
                }
            }
        }
        return bytes.count
    }

    private func instruction(_ index: Int) -> UInt32 { 4 * index + 4 <= bytes.count ? word(4 * index) : 0 }

    private func word(_ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
}

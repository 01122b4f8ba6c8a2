import CZydis
import Search

/// Finds out which extents begin with a function's entry, and which are parts of functions that lie elsewhere.
extension ProgramCode {
    /// Sets `isEntry`, and what instructions refer to: an extent begins with an entry if an instruction calls it or takes its address, or if data that is
    /// loaded holds its address in an aligned word, as symbols, relocations and tables of pointers do. `openDecoder` must
    /// have returned before.
    ///
    /// - Parameter data: what is loaded, apart from code.
    public mutating func findEntries(data: [UnsafeRawBufferPointer]) {
        var found = [Bool](repeating: false, count: extents.count)
        let starts = extents.map(\.lowerBound)
        guard let first = starts.first, let last = starts.last else { return }
        func mark(_ address: UInt64) {
            guard address >= first, address <= last,
                let index = starts.lastIndex(atMost: address, by: { $0 }), starts[index] == address
            else { return }
            found[index] = true
        }
        for bytes in data {
            let words = bytes.count / 8
            func word(_ index: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
            var index = 0
            while index < words {
                let run = index
                var isTable = false
                while index < words, let extent = extent(at: word(index)) {
                    // A run of words with an address within a function is a jump table, which leads to parts, too.
                    if extents[extent].lowerBound != word(index) { isTable = true }
                    index += 1
                }
                if !isTable { for element in run..<index { mark(word(element)) } }
                index += 1
            }
        }
        var references: Set<UInt64> = []
        for extent in extents {
            scan(extent) { address in
                mark(address)
                if bytes(at: address, count: 1) != nil { references.insert(address) }
            }
        }
        setReferences(references)
        setParts(found.indices.filter { !found[$0] })
    }

    /// Decodes from an extent's start to its end, whatever is reached.
    private func scan(_ extent: Range<UInt64>, _ mark: (UInt64) -> Void) {
        guard let bytes = bytes(at: extent.lowerBound, count: extent.count),
            let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return }
        var position = 0
        var instruction = Instruction()
        while position < extent.count {
            cfic_x86_decode(base + position, min(extent.count - position, 15), &instruction)
            position += Int(instruction.length)
            let next = extent.lowerBound + UInt64(position)
            switch instruction.operation {
            case CFIC_X86_CALL: mark(next &+ UInt64(bitPattern: instruction.immediate))
            case CFIC_X86_ADDRESS where instruction.base == UInt8(CFIC_X86_INSTRUCTION_POINTER):
                mark(next &+ UInt64(bitPattern: instruction.displacement))
            case CFIC_X86_JUMP_MEMORY, CFIC_X86_LOAD:
                // A table of addresses.
                if instruction.base == UInt8(CFIC_X86_NO_REGISTER), instruction.index < 16 {
                    mark(UInt64(bitPattern: instruction.displacement))
                }
            case CFIC_X86_SET: mark(UInt64(bitPattern: instruction.immediate))
            default: break
            }
        }
    }
}

import Glibc

/// Memory for a stack, accessed by offsets in bytes.
final class StackMemory {
    private let memory: UnsafeMutableRawPointer
    private let count: Int

    /// - Parameter protectedWords: the number of words at its end that can't be read.
    init(words: Int, protectedWords: Int = 0) {
        count = words * 8
        memory = .allocate(byteCount: count, alignment: 4096)
        if protectedWords > 0 { mprotect(memory + (count - protectedWords * 8), protectedWords * 8, PROT_NONE) }
    }

    deinit {
        mprotect(memory, count, PROT_READ | PROT_WRITE)
        memory.deallocate()
    }

    var address: UInt64 { UInt64(UInt(bitPattern: memory)) }

    /// Fills the memory with a value that is no return address.
    func fill(words: Int? = nil) { memset(memory, 0x55, words.map { $0 * 8 } ?? count) }

    subscript(offset: Int) -> UInt64 {
        get { memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        set { memory.storeBytes(of: newValue, toByteOffset: offset, as: UInt64.self) }
    }
}

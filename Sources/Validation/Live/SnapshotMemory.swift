import KernelUnwinder

/// What is known of a process's memory at the moment of a snapshot: the top of the stack, and what can't have changed
/// in mapped files.
final class SnapshotMemory: DumpedMemory {
    private let snapshot: StackSnapshot
    private let modules: LiveModules
    /// The first address that was asked for and is not known.
    private(set) var missed: UInt64?
    /// Called when something isn't known.
    var onMiss: () -> Void = {}

    init(_ snapshot: StackSnapshot, _ modules: LiveModules) {
        self.snapshot = snapshot
        self.modules = modules
    }

    func copy(from address: UInt64, to buffer: UnsafeMutableRawBufferPointer) -> Bool {
        if let bytes = snapshot.bytes(at: address, count: buffer.count) {
            buffer.copyBytes(from: bytes)
            return true
        }
        if let module = modules.module(at: address),
            module.image.copyConstant(from: address &- module.bias, to: buffer)
        {
            return true
        }
        if missed == nil { missed = address }
        onMiss()
        return false
    }

    /// Whether an address is where the rest of a stack is that was too large for its snapshot.
    func isBeyond(_ address: UInt64) -> Bool {
        address >= snapshot.end && address - snapshot.end < Self.stackLimit
    }

    /// Bytes of a large stack.
    private static let stackLimit: UInt64 = 1 << 30
}

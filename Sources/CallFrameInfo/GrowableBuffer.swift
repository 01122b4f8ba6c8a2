import Glibc

/// A growing array of plain values that owns its memory: `append` does no reference counting and no uniqueness check,
/// and `removeAll` keeps the memory for the next use.
///
/// The memory comes from `malloc`, so capacity that is never touched costs nothing.
public struct GrowableBuffer<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline var storage: UnsafeMutablePointer<Element>?
    @usableFromInline var capacity = 0
    @usableFromInline var used = 0

    /// The number of elements.
    @inlinable public var count: Int { used }

    @inlinable public init() {}
    deinit { free(storage) }

    @inlinable public var isEmpty: Bool { count == 0 }

    @inlinable @inline(__always)
    public mutating func append(_ element: Element) {
        if count == capacity { grow(to: count &+ 1) }
        // After `grow` there is capacity for at least one more.
        (storage.unsafelyUnwrapped + count).initialize(to: element)
        used &+= 1
    }

    public mutating func append(contentsOf source: UnsafeMutableBufferPointer<Element>) {
        guard let start = source.baseAddress, !source.isEmpty else { return }
        if source.count > capacity - count { grow(to: count + source.count) }
        (storage.unsafelyUnwrapped + count).initialize(from: start, count: source.count)
        used += source.count
    }

    /// Ensures capacity for `minimum` elements in total.
    public mutating func reserveCapacity(_ minimum: Int) {
        if minimum > capacity { grow(to: minimum) }
    }

    @inlinable public mutating func removeAll() { used = 0 }

    /// Sets the number of elements. Those beyond the old count are uninitialised.
    ///
    /// - Precondition: capacity for `newCount` was reserved.
    public mutating func setCount(_ newCount: Int) {
        precondition(newCount <= capacity)
        used = newCount
    }

    /// The elements. Valid until the buffer changes.
    @inlinable public var elements: UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(start: storage, count: count)
    }

    /// The memory after the elements, as much as was reserved beyond them. Valid until the buffer changes.
    ///
    /// - Precondition: capacity was reserved.
    public var unused: UnsafeMutablePointer<Element> { storage.unsafelyUnwrapped + count }

    @usableFromInline @inline(never)
    mutating func grow(to minimum: Int) {
        let newCapacity = max(minimum, capacity &* 2, 256)
        let (size, overflow) = newCapacity.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard !overflow, let moved = realloc(storage, size) else {
            // Swift's own collections trap too if there is no memory.
            fatalError("out of memory for \(newCapacity) elements")
        }
        storage = moved.bindMemory(to: Element.self, capacity: newCapacity)
        capacity = newCapacity
    }
}

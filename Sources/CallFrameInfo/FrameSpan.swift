/// The FDE, or the part of an FDE, that is responsible for [`start`, `limit`).
public struct FrameSpan: BitwiseCopyable, Sendable {
    /// SVMA of the first byte.
    public var start: UInt64
    /// SVMA of the end (exclusive).
    public var limit: UInt64
    /// Offset of the FDE in its section.
    public var offset: UInt32
    @usableFromInline var cieAndFlags: UInt32

    @inlinable
    init(start: UInt64, limit: UInt64, offset: UInt32, cie: Int) {
        self.start = start
        self.limit = limit
        self.offset = offset
        cieAndFlags = UInt32(truncatingIfNeeded: cie)
    }

    /// Index into `FrameIndex.cies`. A section below 4 GiB has fewer than 2^30 CIEs.
    @inlinable public var cie: Int { Int(cieAndFlags & 0x3fff_ffff) }
    /// Whether this is only part of the FDE's range: an earlier FDE covers the rest, or it is outside the segments.
    @inlinable public var isPart: Bool {
        get { cieAndFlags & 1 << 31 != 0 }
        set { cieAndFlags = cieAndFlags & ~(1 << 31) | (newValue ? 1 << 31 : 0) }
    }
    /// Whether an earlier span is another part of the same FDE.
    @inlinable public var isContinuation: Bool {
        get { cieAndFlags & 1 << 30 != 0 }
        set { cieAndFlags = cieAndFlags & ~(1 << 30) | (newValue ? 1 << 30 : 0) }
    }
}

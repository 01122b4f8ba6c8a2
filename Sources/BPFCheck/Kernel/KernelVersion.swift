/// A release of Linux, `5.10`. The third number is ignored: stable updates rarely change anything that is checked.
public struct KernelVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var major: Int
    public var minor: Int

    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// `5.10`, `5.10.209`, `5.10.0-32-amd64`, `v6.1`, as people and `uname -r` write it; nil for other text.
    public init?(_ text: String) {
        let digits = text.first == "v" ? text.dropFirst() : text[...]
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 2, let major = Self.number(parts[0]),
            let minor = Self.number(parts[1].prefix { $0.isNumber }),
            parts[1].allSatisfy(\.isNumber) || parts.count == 2 && !parts[1].prefix(while: \.isNumber).isEmpty
        else { return nil }
        self.init(major, minor)
    }

    private static func number(_ text: Substring) -> Int? {
        // Each part of LINUX_VERSION_CODE but the major one has a byte; no release exceeds one.
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text) else { return nil }
        return value < 256 ? value : nil
    }

    public static func < (left: KernelVersion, right: KernelVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    public var description: String { "\(major).\(minor)" }

    /// The possible values of `LINUX_KERNEL_VERSION`: libbpf takes it from the running kernel, whose third number is up
    /// to 255.
    var codes: ClosedRange<UInt64> {
        let code = UInt64(major) << 16 | UInt64(minor) << 8
        return code...code | 255
    }

    /// The first and the last release that is known. Others are treated as the nearest known one, and
    /// ``KernelRelease/caution`` says so.
    public static let known = KernelVersion(5, 4)...KernelVersion(7, 3)
}

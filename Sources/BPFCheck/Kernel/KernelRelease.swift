/// The release of a kernel as people state it: `5.10`, `6.12.118+deb13-amd64`, `4.18.0-553.el8`.
public struct KernelRelease: Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    public let text: String
    public let version: KernelVersion

    /// Nil if it isn't a release; see ``KernelVersion/init(_:)``.
    public init?(_ text: String) {
        guard let version = KernelVersion(text) else { return nil }
        self.text = text
        self.version = version
    }

    public var description: String { version.description }

    /// Whether the kernel is of a distribution that backports features of later releases, so that the number tells
    /// little: Red Hat and its rebuilds, Oracle, Amazon, SUSE, Azure Linux, openEuler.
    public var isVendors: Bool {
        let marks = [".el7", ".el8", ".el9", ".el10", ".amzn", "uek", ".cm2", ".azl3", ".oe1", ".oe2", ".an8", ".tl4"]
        return marks.contains { text.contains($0) } || Self.isSUSE(text)
    }

    /// `5.14.21-150500.55.7-default`
    private static func isSUSE(_ text: String) -> Bool {
        guard let build = text.split(separator: "-").dropFirst().first?.split(separator: ".").first
        else { return false }
        return build.count >= 6 && build.hasPrefix("15") && build.allSatisfy(\.isNumber)
    }

    /// Why findings for this release may be incomplete or wrong; nil if there is no reason.
    public var caution: String? {
        if isVendors {
            return "\(text) is a vendor's kernel, with features of later releases: findings are for Linux \(version) "
                + "as released; --btf with the target's BTF tells more"
        }
        if version < KernelVersion.known.lowerBound {
            return "releases before Linux \(KernelVersion.known.lowerBound) are not known; \(version) is treated "
                + "as that one, and may refuse more"
        }
        if version > KernelVersion.known.upperBound {
            return "releases after Linux \(KernelVersion.known.upperBound) are not known; \(version) is treated "
                + "as that one"
        }
        return nil
    }
}

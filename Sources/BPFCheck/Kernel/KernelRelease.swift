/// A kernel as somebody names it: `5.10`, `6.12.118+deb13-amd64`, `4.18.0-553.el8`.
public struct KernelRelease: Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    public let text: String
    public let version: KernelVersion

    /// Nil for what isn't the name of a release; see ``KernelVersion/init(_:)``.
    public init?(_ text: String) {
        guard let version = KernelVersion(text) else { return nil }
        self.text = text
        self.version = version
    }

    public var description: String { version.description }

    /// Whether it is of a distribution that brings features of later releases into old ones, so that the number says
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

    /// What keeps findings for this release from being the whole truth; nil if nothing does.
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

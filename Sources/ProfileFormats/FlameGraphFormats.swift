import Files

/// A flame graph as a page: ``HTMLFlameGraph``.
public struct HTMLFormat: NamedProfileFormat {
    public let tellsProcessesApart = true
    /// Nil: of one profile. Otherwise the written profile is the later one of two.
    private let old: NamedProfile?

    /// - Parameter old: what to compare profiles with.
    public init(comparedWith old: NamedProfile? = nil) { self.old = old }

    /// - Throws: ``ProfileDifference/DifferentUnits``
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        if let old {
            HTMLFlameGraph(try ProfileDifference(from: old, to: profile)).write(to: &output)
        } else {
            HTMLFlameGraph(profile).write(to: &output)
        }
    }
}

/// A flame graph as a picture: ``SVGFlameGraph``.
public struct SVGFormat: NamedProfileFormat {
    public let tellsProcessesApart = false
    /// Nil: of one profile. Otherwise the written profile is the later one of two.
    private let old: NamedProfile?

    /// - Parameter old: what to compare profiles with.
    public init(comparedWith old: NamedProfile? = nil) { self.old = old }

    /// - Throws: ``ProfileDifference/DifferentUnits``
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        if let old {
            SVGFlameGraph(try ProfileDifference(from: old, to: profile)).write(to: &output)
        } else {
            SVGFlameGraph(profile).write(to: &output)
        }
    }
}

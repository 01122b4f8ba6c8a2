import Files

/// A flame graph as a page: ``HTMLFlameGraph``.
public struct HTMLFormat: NamedProfileFormat {
    public let tellsProcessesApart = true

    /// The format has no options.
    public init() {}

    public func write(_ profile: NamedProfile, to output: inout some ByteSink) {
        HTMLFlameGraph(profile).write(to: &output)
    }
}

/// A flame graph as a picture: ``SVGFlameGraph``.
public struct SVGFormat: NamedProfileFormat {
    public let tellsProcessesApart = false

    /// The format has no options.
    public init() {}

    public func write(_ profile: NamedProfile, to output: inout some ByteSink) {
        SVGFlameGraph(profile).write(to: &output)
    }
}

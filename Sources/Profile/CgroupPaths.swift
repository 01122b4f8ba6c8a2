import LinuxProcess

/// The paths of sampled threads' cgroups. Each is looked up when its first sample is read, because it may be removed
/// soon after.
public struct CgroupPaths: Sendable {
    /// By id (``/KernelUnwinder/Sample/cgroup``); nil for those that were gone by then.
    private var paths: [UInt64: String?] = [:]

    package init() {}

    package mutating func note(_ id: UInt64, in hierarchy: Cgroups) {
        if paths[id] == nil { paths[id] = .some(hierarchy.path(of: id)) }
    }

    /// The path below the hierarchy's mount point; nil if it isn't known.
    public subscript(id: UInt64) -> String? { paths[id] ?? nil }
}

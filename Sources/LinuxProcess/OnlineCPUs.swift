/// CPUs that events can be opened on.
package enum OnlineCPUs {
    /// As in /sys/devices/system/cpu/online; the first one if that can't be read.
    package static var list: [Int32] { SystemFile.firstLine("/sys/devices/system/cpu/online").map(parse) ?? [0] }

    /// Such as `0-3,8`.
    package static func parse(_ text: String) -> [Int32] {
        text.split(separator: ",").flatMap { part -> [Int32] in
            let ends = part.split(separator: "-").compactMap { Int32($0) }
            guard let first = ends.first, let last = ends.last, first <= last, last - first < 1 << 16 else { return [] }
            return Array(first...last)
        }
    }
}

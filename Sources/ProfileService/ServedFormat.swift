import Files
import ProfileFormats

extension ServedFormat {
    /// The media type.
    var type: String {
        switch self {
        case .pprof: "application/vnd.google.protobuf+gzip"
        case .flameGraph: "text/html; charset=utf-8"
        }
    }

    func bytes(_ profile: IntervalProfile) throws -> [UInt8] {
        var bytes = ByteBuffer()
        switch self {
        case .pprof: try PprofFormat(began: profile.began).write(profile.profile, to: &bytes)
        case .flameGraph: HTMLFlameGraph(profile.profile).write(to: &bytes)
        }
        return bytes.bytes
    }
}

/// Collects what is written.
struct ByteBuffer: ByteSink {
    private(set) var bytes: [UInt8] = []
    mutating func write(_ piece: UnsafeRawBufferPointer) { bytes += piece }
}

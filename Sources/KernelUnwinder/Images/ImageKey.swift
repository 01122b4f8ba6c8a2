import Files

/// A file, or memory such as the vDSO. Images of the same file come and go with the processes that map it.
package enum ImageKey: Hashable {
    case file(FileIdentity)
    case memory([UInt8])
    case none

    package init(_ mapped: MappedImage) {
        if let identity = mapped.image?.identity {
            self = .file(identity)
        } else {
            self = mapped.image?.memoryBytes.map { .memory($0) } ?? .none
        }
    }
}

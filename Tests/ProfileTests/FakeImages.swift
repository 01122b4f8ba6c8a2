import ELF
import LinuxProcess
import TestFixtures
@testable import KernelUnwinder

/// Mappings without a process.
enum FakeImages {
    /// Mappings of 0x1000 bytes at multiples of 0x1000, without files.
    static func named(
        _ names: [(UInt64, String)], readAt time: UInt64 = 0, number: UInt32 = 0
    ) -> ProcessImages {
        var images = ProcessImages(
            names.map {
                ExecutableMapping(start: $0.0, end: $0.0 + 0x1000, offset: 0, device: 0, inode: 0, path: $0.1)
            },
            time: time, image: { _ in nil })
        images.number = number
        return images
    }

    /// A mapping of 0x1000 bytes of a file, with or without a table. Different names are different files.
    static func mapping(_ start: UInt64, _ name: String, hasTable: Bool = true) -> ProcessImages.Mapping {
        let image = MappedImage(name: name, image: nil)
        let source = ExecutableMapping(
            start: start, end: start + 0x1000, offset: 0, device: 1,
            inode: name.utf8.reduce(5) { ($0 &* 31) &+ UInt64($1) }, path: name)
        guard hasTable else {
            // As for a file that can't be opened.
            image.problem = "no call frame information"
            return ProcessImages.Mapping(source, of: image)
        }
        var mapping = ProcessImages.Mapping(start: start, end: start + 0x1000, bias: start, image: image, name: name)
        mapping.source = source
        return mapping
    }

    /// Mappings of files, read at this time.
    static func files(_ names: [(UInt64, String)], readAt time: UInt64 = 0) -> ProcessImages {
        ProcessImages(names.map { mapping($0.0, $0.1) }, time: time)
    }

    /// An image whose executable segment is mapped with a bias.
    static func image(_ image: ELFImage, bias: UInt64, name: String) throws -> ProcessImages {
        guard let segment = image.segments.first(where: { $0.isLoad && $0.isExecutable }) else {
            throw TestFailure("\(name) has no executable segment")
        }
        let start = bias + segment.virtualAddress & ~0xfff
        let mapping = ExecutableMapping(
            start: start, end: (start + segment.memorySize + 0x1fff) & ~0xfff, offset: segment.offset & ~0xfff,
            device: 1, inode: 1, path: name)
        let mapped = MappedImage(name: name, image: image)
        return ProcessImages([mapping], time: 0, image: { _ in mapped })
    }
}

extension Sample.Frame {
    /// A frame with this pc, by default a return address.
    init(
        _ pc: UInt64, isExact: Bool = false, isGuessed: Bool = false, isUnchecked: Bool = false,
        isInferred: Bool = false
    ) {
        let marks = [(63, isExact), (62, isGuessed), (61, isUnchecked), (60, isInferred)] as [(UInt64, Bool)]
        self.init(word: marks.reduce(pc) { $0 | ($1.1 ? 1 << $1.0 : 0) })
    }
}

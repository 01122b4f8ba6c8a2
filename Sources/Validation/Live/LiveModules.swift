import KernelUnwinder
import Search

/// A file at its place in a process.
struct LiveModule {
    let image: LiveImage
    /// AVMA − SVMA.
    let bias: UInt64
    /// AVMAs of its segments, rounded to whole memory pages.
    let range: Range<UInt64>

    private static let pageSize: UInt64 = 4096

    /// Nil if the image has no segments that fit an address space.
    init?(_ image: LiveImage, bias: UInt64) {
        let loads = image.image.segments.filter(\.isLoad)
        let page = ~(Self.pageSize - 1)
        guard let first = loads.map({ $0.virtualAddress & page }).min(),
            let last = loads.map({ $0.virtualAddress &+ $0.memorySize }).max()
        else { return nil }
        let start = first &+ bias, end = (last &+ bias &+ Self.pageSize &- 1) & page
        guard start < end else { return nil }
        (self.image, self.bias, range) = (image, bias, start..<end)
    }

    /// The same for libdwfl.
    var forReference: ReferenceModule {
        ReferenceModule(
            name: image.name, range: range, memory: image.memory, path: image.image.descriptorPath ?? "",
            debugPath: image.debugPath)
    }
}

/// The files that a process maps, in ascending order of addresses, without overlaps.
struct LiveModules {
    let all: [LiveModule]

    init(_ modules: [LiveModule]) {
        var kept: [LiveModule] = []
        for module in modules.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
        where kept.last.map({ $0.range.upperBound <= module.range.lowerBound }) ?? true {
            kept.append(module)
        }
        all = kept
    }

    /// The module that contains an AVMA.
    func module(at address: UInt64) -> LiveModule? {
        guard let index = all.lastIndex(atMost: address, by: { $0.range.lowerBound }) else { return nil }
        return all[index].range.contains(address) ? all[index] : nil
    }

    /// Whether libdw has a row for a frame.
    func hasRow(for frame: WalkedFrame) -> Bool {
        module(at: frame.lookupPC).map { $0.image.hasRow(at: frame.lookupPC &- $0.bias) } ?? false
    }

    /// libdw's row for a frame; nil if it has none.
    func row(for frame: WalkedFrame) -> ReferenceFrame? {
        module(at: frame.lookupPC).flatMap { $0.image.row(at: frame.lookupPC &- $0.bias) }
    }

    func isEntryPoint(_ frame: WalkedFrame) -> Bool {
        module(at: frame.lookupPC).map { $0.image.isEntryPoint(at: frame.lookupPC &- $0.bias) } ?? false
    }
}

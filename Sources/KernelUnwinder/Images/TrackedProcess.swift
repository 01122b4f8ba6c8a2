/// A process whose mappings were read and published to the BPF programs.
struct TrackedProcess {
    var images: ProcessImages
    var placed: PlacedProcess
    /// The images whose tables were being made when the mappings were published.
    let pending: [MappedImage]

    init(images: ProcessImages, placed: PlacedProcess) {
        (self.images, self.placed) = (images, placed)
        pending = images.images.filter(\.isPending)
    }

    /// Whether no table was made since the mappings were published.
    var lacksNoNewTable: Bool { pending.allSatisfy(\.isPending) }
}

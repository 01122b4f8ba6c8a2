import CallFrameInfo
import ELF
import UnwindTable

/// All call frame sections that speak of an image, in order of precedence, and the images that own their bytes.
public struct FrameSources {
    public private(set) var sections: [FrameSection] = []
    /// The sections' names with their files, for messages.
    public private(set) var names: [String] = []
    public private(set) var debugSource = TableSource.DebugSource.none
    /// Bytes of the separate debug file.
    public private(set) var debugSize: UInt64 = 0
    /// Debug files that were found but don't fit, or can't be read.
    public private(set) var rejected: [ELFError] = []
    /// Where .debug_frame came from, if not from the image itself: the separate debug file, or .gnu_debugdata unpacked.
    public private(set) var debugImage: ELFImage?
    private let image: ELFImage
    private var trampoline: SignalTrampoline?

    /// Gathers .eh_frame, then .debug_frame: the image's own, else that of its debug file, else that of
    /// .gnu_debugdata.
    ///
    /// - Parameter search: nil looks only into the image itself.
    public init(of image: ELFImage, search: DebugFileSearch?) throws(ELFError) {
        self.image = image
        for section in try image.callFrameSections(.ehFrame) { append(section, of: image) }
        defer { appendTrampoline() }
        let own = try image.callFrameSections(.debugFrame)
        for section in own {
            append(section, of: image)
            debugSource = .sameFile
        }
        guard own.isEmpty, let search else { return }
        if try mergeDebugFile(of: image, search) { return }
        mergeMiniDebugInfo(of: image)
    }

    /// To be asked when the sections have been used.
    ///
    /// Throws ``ELFError`` if one of the files shrank meanwhile, so that some bytes were not the file's.
    public func checkAreWhole() throws(ELFError) {
        try image.checkIsWhole()
        try debugImage?.checkIsWhole()
    }

    private mutating func mergeDebugFile(of image: ELFImage, _ search: DebugFileSearch) throws(ELFError) -> Bool {
        guard image.identity != nil else { return false }
        let found = try search.find(for: image, path: image.name)
        rejected = found.rejected
        guard let debugFile = found.image else { return false }
        do throws(ELFError) {
            let sections = try debugFile.callFrameSections(.debugFrame)
            guard !sections.isEmpty else { return false }
            for section in sections { append(section, of: debugFile) }
        } catch {
            // The binary's own sections are good; a bad debug file doesn't cost them.
            rejected.append(error)
            return false
        }
        debugImage = debugFile
        debugSource = .separateFile
        debugSize = debugFile.size
        return true
    }

    private mutating func mergeMiniDebugInfo(of image: ELFImage) {
        do throws(ELFError) {
            guard let embedded = try image.miniDebugInfo() else { return }
            let sections = try embedded.callFrameSections(.debugFrame)
            guard !sections.isEmpty else { return }
            for section in sections { append(section, of: embedded) }
            debugImage = embedded
            debugSource = .embedded
        } catch {
            rejected.append(error)
        }
    }

    /// Last: it counts only where nothing else does.
    private mutating func appendTrampoline() {
        do throws(ELFError) { trampoline = try SignalTrampoline(of: image) } catch { rejected.append(error) }
        guard let trampoline else { return }
        sections.append(trampoline.section)
        names.append("\(image.name): signal trampoline")
    }

    private mutating func append(_ section: CallFrameSection, of image: ELFImage) {
        sections.append(FrameSection(
            kind: section.kind == .ehFrame ? .ehFrame : .debugFrame, bytes: section.bytes, address: section.address,
            textAddress: section.textAddress, dataAddress: section.dataAddress, addressSize: image.is64Bit ? 8 : 4,
            isBigEndian: image.isBigEndian, machine: image.machine.rawValue,
            endsAtTerminator: section.endsAtTerminator))
        names.append("\(image.name): \(section.name)")
    }
}

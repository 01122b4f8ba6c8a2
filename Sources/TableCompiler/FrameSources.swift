import CallFrameInfo
import ELF
import TableBuilder
import UnwindTable

/// All call frame sections that speak of an image, in order of precedence, and the images that own their bytes.
public struct FrameSources {
    public private(set) var sections: [FrameSection] = []
    /// The sections' names with their files, for messages.
    public private(set) var names: [String] = []
    public private(set) var debugSource = TableSource.DebugSource.none
    /// Bytes of the separate debug file.
    public private(set) var debugSize: UInt64 = 0
    /// Parts of the image, and debug files, that can't be used. They cost nothing but themselves.
    public private(set) var rejected: [ELFError] = []
    /// Where .debug_frame came from, if not from the image itself: the separate debug file, or .gnu_debugdata unpacked.
    public private(set) var debugImage: ELFImage?
    /// Where the image's outermost frame is, whatever the sections say; nil if it starts no program.
    public private(set) var entry: EntryPoint?
    /// SVMAs of a signal trampoline that has our own rule, as the image states none.
    public var trampolineAddresses: Range<UInt64>? { trampoline?.addresses }
    private let image: ELFImage
    /// Why the image's own information can't be read: of .debug_frame, or of .gnu_debugdata.
    private var unreadable: ELFError?
    private var trampoline: SignalTrampoline?

    /// Gathers .eh_frame, then .debug_frame: the image's own, else that of its debug file, else that of
    /// .gnu_debugdata.
    ///
    /// Throws `ELFError` if .eh_frame can't be read; or if other information of the image can't, and nothing is left.
    ///
    /// - Parameters:
    ///   - image: the file whose frames are described.
    ///   - search: nil looks only into the image itself.
    ///   - placement: where a relocatable file's code is taken to be; nil: all sections are at 0.
    public init(of image: ELFImage, search: DebugFileSearch?, placement: SectionPlacement? = nil) throws(ELFError) {
        try self.init(of: image, DebugFile(of: image, search: search), placement: placement)
    }

    /// The same with a debug file that was found before.
    init(of image: ELFImage, _ debugFile: DebugFile, placement: SectionPlacement? = nil) throws(ELFError) {
        self.image = image
        for section in try image.callFrameSections(.ehFrame, placement: placement) { append(section, of: image) }
        mergeOwnDebugFrame(of: image, placement)
        if debugSource == .none, debugFile.isWanted {
            // If its own can't be read, there may be another.
            let debugFile = image.hasDebugFrame ? debugFile.searched() : debugFile
            rejected += debugFile.rejected
            if !(debugFile.image.map { merge($0) } ?? false) { mergeMiniDebugInfo(of: image) }
        }
        appendTrampoline()
        if sections.isEmpty, let unreadable { throw unreadable }
        do throws(ELFError) { _ = try image.buildID() } catch { rejected.append(error) }
        do throws(ELFError) { entry = try EntryPoint(of: image) } catch { rejected.append(error) }
    }

    private mutating func mergeOwnDebugFrame(of image: ELFImage, _ placement: SectionPlacement?) {
        do throws(ELFError) {
            for section in try image.callFrameSections(.debugFrame, placement: placement) {
                append(section, of: image)
                debugSource = .sameFile
            }
        } catch {
            rejected.append(error)
            unreadable = error
        }
    }

    /// To be asked when the sections have been used.
    ///
    /// Throws `ELFError` if one of the files shrank meanwhile, so that some bytes were not the file's.
    public func checkAreWhole() throws(ELFError) {
        try image.checkIsWhole()
        try debugImage?.checkIsWhole()
    }

    private mutating func merge(_ debugFile: ELFImage) -> Bool {
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
            unreadable = unreadable ?? error
        }
    }

    /// What can't be used and why, a line each.
    public var notes: [String] { rejected.map { "not used: \($0)" } }

    /// Last: it counts only where nothing else does.
    private mutating func appendTrampoline() {
        do throws(ELFError) { trampoline = try SignalTrampoline(of: image) } catch { rejected.append(error) }
        guard let trampoline else { return }
        sections.append(trampoline.section)
        names.append("\(image.name): signal trampoline")
    }

    private mutating func append(_ section: CallFrameSection, of image: ELFImage) {
        sections.append(
            FrameSection(
                kind: section.kind == .ehFrame ? .ehFrame : .debugFrame, bytes: section.bytes, address: section.address,
                textAddress: section.textAddress, dataAddress: section.dataAddress, addressSize: image.is64Bit ? 8 : 4,
                isBigEndian: image.isBigEndian, machine: image.machine.rawValue,
                endsAtTerminator: section.endsAtTerminator))
        names.append("\(image.name): \(section.name)")
    }
}

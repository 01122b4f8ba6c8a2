import CallFrameInfo
import ELF
import GoFunctionTable
import TableBuilder
import UnwindTable

/// All call frame sections for an image, in order of precedence, with the images that own their bytes.
///
/// Not API: public only for the package in Fuzz/, as its sections have a type of `CallFrameInfo`.
@_documentation(visibility: internal)
public struct FrameSources {
    /// The sections, valid as long as this is.
    public private(set) var sections: [FrameSection] = []
    /// What the sections are, as many.
    package private(set) var kinds: [RuleSource] = []
    /// The sections' names with their files, for messages.
    package private(set) var names: [String] = []
    /// Where .debug_frame came from.
    package private(set) var debugSource = TableSource.DebugSource.none
    /// Size of the separate debug file in bytes; 0 without one.
    package private(set) var debugSize: UInt64 = 0
    /// Why parts of the image, or debug files, were skipped. The other sections are used all the same.
    package private(set) var rejected: [ELFError] = []
    /// The image that .debug_frame came from, if not from this one: the separate debug file, or unpacked
    /// .gnu_debugdata.
    package private(set) var debugImage: ELFImage?
    /// The entry point, whose frame is outermost even if the sections have a rule for it; nil if the image is neither
    /// an executable nor a dynamic linker.
    package private(set) var entry: EntryPoint?
    /// SVMAs of a signal trampoline for which `SignalTrampoline` provides the rule.
    package var trampolineAddresses: Range<UInt64>? { trampoline?.addresses }
    /// The functions of a Go program that `.gopclntab` describes, as nothing else does.
    package var goFrames: GoFrames? { goProgram?.frames }
    /// The number of sections that are in files: the first ones. What follows is made for code without call frame information.
    package private(set) var storedCount = 0
    /// The code that none of the sections covers; nil for an image whose code isn't analysed.
    private(set) var gaps: CodeGaps?
    private let image: ELFImage
    /// Why the image's own .debug_frame or .gnu_debugdata can't be read.
    private var unreadable: ELFError?
    private var trampoline: SignalTrampoline?
    private var goProgram: GoProgram?
    private var inferred: InferredFrames?

    /// Collects .eh_frame and .debug_frame: the image's own .debug_frame, else the debug file's, else the one in
    /// .gnu_debugdata, else what .gopclntab says of Go functions.
    ///
    /// Throws `ELFError` if .eh_frame can't be read, or if other sections can't and nothing else was found.
    ///
    /// - Parameters:
    ///   - image: the image whose functions the sections describe.
    ///   - search: where to look for a debug file; nil uses only the image itself.
    public init(of image: ELFImage, search: DebugFileSearch?) throws(ELFError) {
        try self.init(of: image, search: search, placement: nil)
    }

    /// The same, with addresses for a relocatable file's code sections; nil leaves all at 0.
    package init(of image: ELFImage, search: DebugFileSearch?, placement: SectionPlacement?) throws(ELFError) {
        try self.init(of: image, DebugFile(of: image, search: search), placement: placement)
    }

    /// The same, with a debug file that was found before.
    init(of image: ELFImage, _ debugFile: DebugFile, placement: SectionPlacement? = nil) throws(ELFError) {
        self.image = image
        for section in try image.callFrameSections(.ehFrame, placement: placement) { append(section, of: image) }
        mergeOwnDebugFrame(of: image, placement)
        if debugSource == .none, debugFile.isWanted {
            // The image has a .debug_frame that can't be read, so the debug file's may be used after all.
            let debugFile = image.hasDebugFrame ? debugFile.searched() : debugFile
            rejected += debugFile.rejected
            if !(debugFile.image.map { merge($0) } ?? false) { mergeMiniDebugInfo(of: image) }
        }
        storedCount = sections.count
        appendGoFunctions()
        appendTrampoline()
        if sections.isEmpty, let unreadable { throw unreadable }
        findGaps()
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

    /// Must be called after the sections were used.
    ///
    /// Throws `ELFError` if a file shrank meanwhile, so that some bytes that were read are not the file's.
    package func checkAreWhole() throws(ELFError) {
        try image.checkIsWhole()
        try debugImage?.checkIsWhole()
    }

    private mutating func merge(_ debugFile: ELFImage) -> Bool {
        do throws(ELFError) {
            let sections = try debugFile.callFrameSections(.debugFrame)
            guard !sections.isEmpty else { return false }
            for section in sections { append(section, of: debugFile) }
        } catch {
            // A bad debug file must not cost the image's own sections.
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

    /// Why parts of the image, or debug files, were skipped, one line each.
    package var notes: [String] { rejected.map { "not used: \($0)" } }

    /// Go's linker writes the same into .debug_frame, unless the program is stripped.
    private mutating func appendGoFunctions() {
        guard debugSource == .none else { return }
        do throws(ELFError) { goProgram = try GoProgram(of: image) } catch {
            rejected.append(error)
            unreadable = unreadable ?? error
        }
        guard let goProgram, goProgram.frames.functionCount > 0 else { return }
        sections.append(goProgram.section)
        kinds.append(.goFunctionTable)
        names.append("\(image.name): \(goProgram.sectionName)")
        debugSource = .goFunctionTable
    }

    /// Appended last, so that all other sections take precedence.
    private mutating func appendTrampoline() {
        do throws(ELFError) { trampoline = try SignalTrampoline(of: image) } catch { rejected.append(error) }
        guard let trampoline else { return }
        sections.append(trampoline.section)
        kinds.append(.inferred)
        names.append("\(image.name): signal trampoline")
    }

    private mutating func findGaps() {
        guard image.is64Bit, !image.isBigEndian, image.fileType != .relocatable,
            image.machine == .x86_64 || image.machine == .aarch64, !sections.isEmpty,
            // Go's table has all functions; those that it gives no rules switch stacks.
            goProgram == nil
        else { return }
        do throws(ELFError) { gaps = try CodeGaps(of: image, sections) } catch { rejected.append(error) }
    }

    /// Appends what instructions prove of the code that none of the sections covers. Call it once.
    package mutating func infer() {
        guard let gaps else { return }
        do throws(ELFError) {
            inferred = try InferredFrames(of: image, gaps)
        } catch {
            rejected.append(error)
        }
        guard let inferred else { return }
        sections.append(inferred.section)
        kinds.append(.inferred)
        names.append("\(image.name): code without call frame information")
    }

    private mutating func append(_ section: CallFrameSection, of image: ELFImage) {
        sections.append(
            FrameSection(
                kind: section.kind == .ehFrame ? .ehFrame : .debugFrame, bytes: section.bytes, address: section.address,
                textAddress: section.textAddress, dataAddress: section.dataAddress, addressSize: image.is64Bit ? 8 : 4,
                isBigEndian: image.isBigEndian, machine: image.machine.rawValue,
                endsAtTerminator: section.endsAtTerminator))
        kinds.append(section.kind == .ehFrame ? .ehFrame : .debugFrame)
        names.append("\(image.name): \(section.name)")
    }
}

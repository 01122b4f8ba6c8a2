import ELF
import Files
import Glibc
import TableStore
import UnwindTable

/// Finds the files that were mapped when a core was dumped.
public struct ModuleSearch: Sendable {
    /// The path of the executable, if it was moved.
    public var executable: String?
    /// A prefix for the paths in the core.
    public var sysroot: String?
    /// Finds separate debug files; its directories are also searched, by build id, for files that were moved.
    public var debugFiles: DebugFileSearch?
    /// See ``ImageValidator``.
    public var store: TableStore?

    public init() {}

    /// The modules of a core by ascending address, and the problems with mapped files that can't be used.
    func modules(of core: CoreFile) -> (modules: [CoreModule], problems: [String]) {
        var modules: [CoreModule] = []
        var problems: [String] = []
        func add(_ make: () throws -> CoreModule?) {
            do {
                if let module = try make() { modules.append(module) }
            } catch {
                problems.append("\(error)")
            }
        }
        // AT_PHDR, an address in the executable.
        let programHeaders = core.auxiliaryVector[3]
        for mapping in core.mappings where mapping.fileOffset == 0 {
            guard modules.count < Self.moduleLimit else {
                problems.append("\(core.path): more than \(Self.moduleLimit) files are mapped")
                break
            }
            let isProgram = programHeaders.map { mapping.start <= $0 && $0 < mapping.end } ?? false
            add { try module(mapping, isProgram: isProgram, core) }
        }
        // AT_SYSINFO_EHDR
        if let address = core.auxiliaryVector[33] {
            let bytes = core.bytes(at: address, limit: Self.vdsoLimit)
            if !bytes.isEmpty {
                add {
                    try CoreModule(
                        ELFImage(bytes: bytes, name: "[vdso]"),
                        at: address..<max(address, address &+ UInt64(bytes.count)),
                        fileOffset: 0, store: store, debugFiles: nil)
                }
            }
        }
        modules.sort { $0.range.lowerBound < $1.range.lowerBound }
        return (modules.withoutOverlaps, problems)
    }

    /// More than processes have. Limits the work for a core that claims more: each module is compiled.
    private static let moduleLimit = 4096
    /// In bytes. The vDSO has two or four memory pages.
    private static let vdsoLimit = 1 << 20

    /// Nil if the mapped file isn't an ELF file.
    private func module(_ mapping: CoreFile.Mapping, isProgram: Bool, _ core: CoreFile) throws -> CoreModule? {
        // Data files are mapped, too. If the first bytes were dumped, they tell.
        let header = core.bytes(at: mapping.start, limit: 4)
        guard header.isEmpty || header == [0x7f, 0x45, 0x4c, 0x46] else { return nil }
        let expected = buildID(of: mapping, core)
        guard let image = try file(mapping.path, isProgram: isProgram, expected) else { return nil }
        return try CoreModule(
            image, at: mapping.start..<max(mapping.start, mapping.end), fileOffset: 0, store: store,
            debugFiles: debugFiles)
    }

    /// The build id in the dumped beginning of a mapping; nil if it wasn't dumped.
    private func buildID(of mapping: CoreFile.Mapping, _ core: CoreFile) -> [UInt8]? {
        let size = Int(clamping: min(mapping.end - mapping.start, 1 << 16))
        let bytes = core.bytes(at: mapping.start, limit: size)
        guard !bytes.isEmpty, let image = try? ELFImage(bytes: bytes, name: mapping.path) else { return nil }
        return image.tableBuildID()
    }

    /// The file at a path of the core, with the build id if one is expected. Nil if it isn't an ELF file.
    private func file(_ path: String, isProgram: Bool, _ expected: [UInt8]?) throws -> ELFImage? {
        var found: ELFError?
        for candidate in candidates(path, isProgram: isProgram, expected) {
            do throws(ELFError) {
                let image = try ELFImage(path: candidate)
                guard let expected, let buildID = try image.buildID(), buildID != expected else { return image }
                found = ELFError(
                    file: candidate, kind: .unsupported("it is not the core's file: its build id differs"))
            } catch {
                if found == nil { found = error }
            }
        }
        // Devices and deleted files: missing ones matter only if they are known to be ELF files.
        guard let found, expected != nil || isProgram else { return nil }
        throw found
    }

    private func candidates(_ path: String, isProgram: Bool, _ expected: [UInt8]?) -> [String] {
        if isProgram, let executable { return [executable] }
        var candidates = [(sysroot ?? "") + path]
        if let expected, expected.count > 1 {
            let digits = Hex.text(expected)
            for directory in debugFiles?.directories ?? [] {
                candidates.append("\(directory)/.build-id/\(digits.prefix(2))/\(digits.dropFirst(2))")
            }
        }
        return candidates
    }
}

extension [CoreModule] {
    /// If ranges overlap, which happens only in a broken core, keeps the first module.
    fileprivate var withoutOverlaps: [CoreModule] {
        var kept: [CoreModule] = []
        for module in self where kept.last.map({ $0.range.upperBound <= module.range.lowerBound }) ?? true {
            kept.append(module)
        }
        return kept
    }
}

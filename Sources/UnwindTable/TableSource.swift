import CUnwindTable

/// The image that a table was made from, as recorded in the table's header.
public struct TableSource: Sendable, Equatable {
    /// What the table is stored under.
    public enum Key: Sendable, Hashable {
        /// The GNU build id's bytes, 1 to 48, and a digest of 16 bytes that distinguishes files with the same build id;
        /// empty if only the build id is known.
        case buildID([UInt8], digest: [UInt8] = [])
        /// SHA-256 of the table's input, for a file without a build id.
        case content([UInt8])

        /// The build id or the hash.
        public var bytes: [UInt8] {
            switch self {
            case .buildID(let bytes, _), .content(let bytes): bytes
            }
        }

        /// In bytes.
        public static let longestBuildID = Int(CFIC_KEY_MAX)

        /// The digest beside a build id: 16 bytes or none.
        public var digest: [UInt8] {
            switch self {
            case .buildID(_, let digest): digest
            case .content: []
            }
        }
    }

    /// Where .debug_frame came from.
    public enum DebugSource: UInt8, Sendable {
        /// There was none.
        case none
        /// From the image itself.
        case sameFile
        /// From a separate debug file.
        case separateFile
        /// From `.gnu_debugdata` in the image.
        case embedded
        /// There was none, but the image's `.gopclntab` describes Go functions.
        case goFunctionTable
    }

    /// The machine of the image.
    public var machine: TableMachine
    /// What the table is found by.
    public var key: Key
    /// Size of the ELF file up to the end of its loaded segments, in bytes, so that stripping doesn't change it.
    public var size: UInt64
    /// Where .debug_frame came from.
    public var debugSource: DebugSource = .none
    /// Size of the separate debug file in bytes; 0 without one.
    public var debugSize: UInt64 = 0

    /// The source of a table that has no .debug_frame.
    ///
    /// - Parameters:
    /// - machine: the machine of the image.
    /// - key: what the table is found by.
    /// - size: of the ELF file up to the end of its loaded segments, in bytes.
    public init(machine: TableMachine, key: Key, size: UInt64) {
        self.machine = machine
        self.key = key
        self.size = size
    }
}

/// Options that change a table.
public struct TableOptions: Sendable, Equatable {
    /// Leaves padding between functions without information, instead of giving it the preceding rule.
    public var keepsGaps = false
    /// Whether code without call frame information gets the rules that its instructions prove.
    public var infers = true

    /// The options; those of `cfic compile`, if nothing is given.
    public init(keepsGaps: Bool = false, infers: Bool = true) {
        self.keepsGaps = keepsGaps
        self.infers = infers
    }

    /// `CFIC_OPTION_*`, as in the header.
    package var bits: UInt32 {
        (keepsGaps ? UInt32(CFIC_OPTION_KEEP_GAPS) : 0) | (infers ? 0 : UInt32(CFIC_OPTION_NO_INFERENCE))
    }
}

/// The compiler's version, as recorded in tables.
public enum Producer {
    /// Revision of the rules by which tables are made. It must change whenever the same input gives different bytes, so
    /// that stored tables are compiled again. Other releases keep it, and with it all stored tables.
    public static let revision: UInt32 = 1

    /// The version of this compiler.
    public static let version = (major: 0, minor: 1, patch: 1)
    /// The version as a header has it: major << 16 | minor << 8 | patch.
    public static var code: UInt32 { UInt32(version.major << 16 | version.minor << 8 | version.patch) }
    /// The version as text, such as `0.1.1`.
    public static var text: String { "\(version.major).\(version.minor).\(version.patch)" }
}

import CUnwindTable

/// What a table's header says of where the table came from.
public struct TableSource: Sendable, Equatable {
    /// How the key was made.
    public enum Key: Sendable, Hashable {
        /// The GNU build id's bytes, 1 to 48; and 16 bytes that tell files of one build id apart, or none where only
        /// the build id is known.
        case buildID([UInt8], digest: [UInt8] = [])
        /// SHA-256 of what the table is made of, for a file without a build id.
        case content([UInt8])

        /// The build id, or the hash.
        public var bytes: [UInt8] {
            switch self {
            case .buildID(let bytes, _), .content(let bytes): bytes
            }
        }

        /// In bytes.
        public static let longestBuildID = Int(CFIC_KEY_MAX)

        /// What stands beside a build id: 16 bytes or none.
        public var digest: [UInt8] {
            switch self {
            case .buildID(_, let digest): digest
            case .content: []
            }
        }

        /// The key that a header states, which `TableVerifier.readHeader` has proved.
        package init(_ header: cfic_table_header) {
            let bytes = withUnsafeBytes(of: header.key) { Array($0.prefix(Int(header.key_size))) }
            let digest = withUnsafeBytes(of: header.digest) { Array($0) }
            if UInt32(header.key_kind) == CFIC_KEY_CONTENT.rawValue {
                self = .content(bytes)
            } else {
                self = .buildID(bytes, digest: digest.allSatisfy { $0 == 0 } ? [] : digest)
            }
        }
    }

    /// Where .debug_frame came from.
    public enum DebugSource: UInt8, Sendable {
        case none, sameFile, separateFile, embedded
    }

    public var machine: TableMachine
    public var key: Key
    /// Bytes of the ELF file that its loaded segments end at: what stripping takes off isn't counted.
    public var size: UInt64
    public var debugSource: DebugSource = .none
    /// Bytes of the separate debug file; 0 without one.
    public var debugSize: UInt64 = 0

    public init(machine: TableMachine, key: Key, size: UInt64) {
        self.machine = machine
        self.key = key
        self.size = size
    }
}

/// What changes a table beside its input.
public struct TableOptions: Sendable, Equatable {
    /// Keeps padding between functions as gaps instead of giving it the rule before.
    public var keepsGaps = false

    public init(keepsGaps: Bool = false) { self.keepsGaps = keepsGaps }

    /// `CFIC_OPTION_*`, as in the header.
    package var bits: UInt32 { keepsGaps ? UInt32(CFIC_OPTION_KEEP_GAPS) : 0 }
}

/// The compiler as tables record it.
public enum Producer {
    /// Of the rules by which tables are made: moves when the same input gives other bytes, so that tables of before are
    /// made anew; a release that changes none of them keeps all tables.
    public static let revision: UInt32 = 1

    public static let version = (major: 0, minor: 1, patch: 1)
    public static var code: UInt32 { UInt32(version.major << 16 | version.minor << 8 | version.patch) }
    public static var text: String { "\(version.major).\(version.minor).\(version.patch)" }
}

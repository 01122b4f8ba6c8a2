import JSONDocuments
import TableBuilder
import TableCompiler

/// The report of `cfic sizes`.
struct SizesReport: JSONDocument {
    static let schema = "sizes"

    /// In the order of the walk.
    var files: [SizedFile] = []
    var total = TotalSizes()
    var skipped: [String] = []
    var failures: [String]

    var isEmpty: Bool { files.isEmpty && skipped.isEmpty && failures.isEmpty }

    init(_ walk: FileWalk, _ outcomes: [TreeSizes.Outcome]) {
        failures = walk.problems.map { "\($0.path): \($0.problem)" }
        for (file, outcome) in zip(walk.files, outcomes) {
            switch outcome {
            case .measured(let sizes): files.append(SizedFile(file, sizes))
            case .notELF: break
            case .skipped(let reason) where file.isNamed: failures.append("\(file.path): \(reason)")
            case .skipped(let reason): skipped.append("\(file.path): \(reason)")
            case .failed(let why): failures.append(why)
            }
        }
        total.files = files.count
        for file in files { total.sizes.add(file.sizes) }
    }
}

struct SizedFile: Encodable {
    var path: String
    var machine: String
    var notes: [String]
    var sizes: FormatSizes
    /// Whether the user named the file itself.
    var isNamed: Bool

    private enum CodingKeys: CodingKey { case path, machine, notes }

    init(_ file: FoundFile, _ sizes: ImageSizes) {
        path = file.path
        machine = sizes.machine.name
        notes = sizes.notes
        self.sizes = FormatSizes(sizes)
        isNamed = file.isNamed
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path, forKey: .path)
        try container.encode(machine, forKey: .machine)
        try container.encode(notes, forKey: .notes)
        try sizes.encode(to: encoder)
    }
}

struct TotalSizes: Encodable {
    var files = 0
    var sizes = FormatSizes()

    private enum CodingKeys: CodingKey { case files }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(files, forKey: .files)
        try sizes.encode(to: encoder)
    }
}

/// The same call frame information in each format, of one file or the sum of many.
struct FormatSizes: Encodable {
    /// FDEs.
    var functions: UInt64 = 0
    /// Of the table.
    var rows: UInt64 = 0
    var ehFrame = FormatSize()
    var ehFrameHeader = FormatSize()
    var debugFrame = FormatSize()
    /// Nil if no file has one.
    var sframe: FormatSize?
    var sframeV2 = FormatSize()
    var sframeV3 = FormatSize()
    var table = FormatSize()

    init() {}

    init(_ sizes: ImageSizes) {
        functions = sizes.functions
        rows = sizes.rows
        ehFrame.bytes = sizes.ehFrame
        ehFrameHeader.bytes = sizes.ehFrameHeader
        debugFrame.bytes = sizes.debugFrame
        debugFrame.packedBytes = sizes.packedDebugFrame
        sframe = sizes.sframe.map { FormatSize(bytes: $0) }
        sframeV2 = FormatSize(sizes.sframeV2)
        sframeV3 = FormatSize(sizes.sframeV3)
        table.bytes = sizes.table
        table.unsupportedFunctions = sizes.unsupportedFunctions
        divide()
    }

    mutating func add(_ other: FormatSizes) {
        functions += other.functions
        rows += other.rows
        ehFrame.add(other.ehFrame)
        ehFrameHeader.add(other.ehFrameHeader)
        debugFrame.add(other.debugFrame)
        if let addend = other.sframe { sframe = (sframe ?? FormatSize()).adding(addend) }
        sframeV2.add(other.sframeV2)
        sframeV3.add(other.sframeV3)
        table.add(other.table)
        divide()
    }

    private mutating func divide() {
        for format in [\FormatSizes.ehFrame, \.ehFrameHeader, \.debugFrame, \.sframeV2, \.sframeV3, \.table] {
            self[keyPath: format].divide(by: functions, rows)
        }
        sframe?.divide(by: functions, rows)
    }

    /// What the files have, for the order of a list.
    var storedBytes: UInt64 { ehFrame.bytes + ehFrameHeader.bytes + debugFrame.bytes }
}

struct FormatSize: Encodable {
    var bytes: UInt64 = 0
    /// As they are in the file; nil unless they are compressed there.
    var packedBytes: UInt64?
    /// Of a computed .sframe.
    var fdes: UInt64?
    var fres: UInt64?
    /// Functions that the format has no words for, wholly or in part; nil if that isn't known.
    var unsupportedFunctions: UInt64?
    private(set) var bytesPerFunction: Double?
    private(set) var bytesPerRow: Double?

    init(bytes: UInt64 = 0) { self.bytes = bytes }

    init(_ size: SFrameSize) {
        bytes = size.bytes
        fdes = size.fdes
        fres = size.fres
        unsupportedFunctions = size.unsupportedFunctions
    }

    mutating func add(_ other: FormatSize) { self = adding(other) }

    func adding(_ other: FormatSize) -> FormatSize {
        func sum(_ left: UInt64?, _ right: UInt64?) -> UInt64? { right.map { (left ?? 0) + $0 } ?? left }
        var size = self
        // Those that aren't compressed take what they are.
        if packedBytes != nil || other.packedBytes != nil {
            size.packedBytes = (packedBytes ?? bytes) + (other.packedBytes ?? other.bytes)
        }
        size.bytes += other.bytes
        size.fdes = sum(fdes, other.fdes)
        size.fres = sum(fres, other.fres)
        size.unsupportedFunctions = sum(unsupportedFunctions, other.unsupportedFunctions)
        return size
    }

    fileprivate mutating func divide(by functions: UInt64, _ rows: UInt64) {
        bytesPerFunction = functions == 0 ? nil : Double(bytes) / Double(functions)
        bytesPerRow = rows == 0 ? nil : Double(bytes) / Double(rows)
    }
}

import UnwindTable

/// The size of the section with which SFrame would describe the same functions, row by row, as its specification lays
/// it out. Nothing is written: sizes follow from the numbers in the rows.
package struct SFrameSize: Equatable, Sendable {
    enum Version: Sendable {
        case two
        case three
    }

    /// Number of function descriptor entries.
    package private(set) var fdes: UInt64 = 0
    /// Number of frame row entries.
    package private(set) var fres: UInt64 = 0
    /// Functions that the format has no words for; they have no FDE.
    package private(set) var unsupportedFunctions: UInt64 = 0
    /// Of FDEs and FREs.
    private var entryBytes: UInt64 = 0
    private let version: Version

    /// Of the whole section in bytes: header, FDEs and FREs; 0 if it has no FDE.
    package var bytes: UInt64 { fdes == 0 ? 0 : Self.headerBytes + entryBytes }

    /// The header, the same in both versions.
    private static let headerBytes: UInt64 = 28

    private init(_ version: Version) { self.version = version }

    /// The sizes in versions 2 and 3.
    ///
    /// - Parameters:
    ///   - lowered: the rows of all FDEs.
    ///   - pieces: what each FDE is responsible for.
    package static func sizes(
        of lowered: LoweredFrames, _ pieces: [LoweredFrames.Piece], machine: TableMachine
    ) -> (two: SFrameSize, three: SFrameSize) {
        var (two, three) = (SFrameSize(.two), SFrameSize(.three))
        for piece in pieces {
            let functions = SFrameFunction.functions(of: piece, in: lowered, machine: machine)
            two.add(functions, machine: machine)
            three.add(functions, machine: machine)
        }
        return (two, three)
    }

    /// Adds the FDEs of one function; nil if SFrame has no words for it.
    private mutating func add(_ functions: [SFrameFunction]?, machine: TableMachine) {
        let sizes = functions?.map { version.entries(for: $0, machine: machine) }
        guard let sizes, !sizes.contains(where: { $0 == nil }) else { return unsupportedFunctions += 1 }
        for size in sizes.compactMap({ $0 }) {
            fdes += 1
            fres += UInt64(size.fres)
            entryBytes += size.bytes
        }
    }
}

extension SFrameSize.Version {
    /// The entries for a function; nil if this version has no words for it.
    func entries(for function: SFrameFunction, machine: TableMachine) -> (fres: Int, bytes: UInt64)? {
        let isDefault = function.rows.allSatisfy { $0.isDefault(machine) }
        switch self {
        case .two:
            // No bit says that the caller's pc is exact.
            guard isDefault, !function.isSignalFrame else { return nil }
        case .three:
            // An FDE without rows is an outermost frame.
            if function.rows == [.outermost] { return (0, fdeBytes) }
            guard function.rows.count <= UInt16.max, isDefault || function.rows.allSatisfy(\.isFlexible) else {
                return nil
            }
        }
        // As the GNU assembler chooses: by the size of the function, not by its last row.
        let addressBytes: UInt64 = function.size < 1 << 8 ? 1 : function.size < 1 << 16 ? 2 : 4
        let bytes = function.rows.reduce(fdeBytes) {
            $0 + addressBytes + 1 + $1.words(isFlexible: !isDefault, machine).bytes
        }
        return (function.rows.count, bytes)
    }

    /// Version 2 has one structure; version 3 an index entry of 16 bytes and attributes of 5.
    private var fdeBytes: UInt64 {
        switch self {
        case .two: 20
        case .three: 16 + 5
        }
    }
}

extension SFrameRow {
    /// Whether an FDE of the default type can have it: the CFA from the stack or the frame pointer, the others saved at
    /// offsets from the CFA.
    fileprivate func isDefault(_ machine: TableMachine) -> Bool {
        guard let cfa else { return true }
        guard !cfa.isInMemory, let base = cfa.register.map(UInt64.init),
            base == machine.stackPointer || base == machine.framePointer, framePointer?.isSavedAtCFA ?? true
        else { return false }
        return switch machine {
        // The return address has no word: the header has its place.
        case .x86_64: returnAddress == nil
        // The frame pointer is the third word, so there must be a second.
        case .aarch64: returnAddress?.isSavedAtCFA ?? (framePointer == nil)
        }
    }

    /// Whether a flexible FDE of version 3 can have it. A control word of zero, for CFA + offset, is padding.
    fileprivate var isFlexible: Bool { ![returnAddress, framePointer].contains { $0?.control == 0 } }

    /// The data words behind the entry. Without any, the frame is the outermost one.
    fileprivate func words(isFlexible: Bool, _ machine: TableMachine) -> DataWords {
        var words = DataWords()
        guard let cfa else { return words }
        words.append(cfa, withControl: isFlexible)
        if let returnAddress {
            words.append(returnAddress, withControl: isFlexible)
        } else if isFlexible, framePointer != nil {
            words.appendPadding()
        }
        if let framePointer { words.append(framePointer, withControl: isFlexible) }
        return words
    }
}

extension SFrameRow.Location {
    /// The control word of a flexible FDE.
    fileprivate var control: UInt32 {
        (register.map { UInt32($0) << 3 | 1 } ?? 0) | (isInMemory ? 2 : 0)
    }
}

/// The words of one row, all as wide as the widest.
private struct DataWords {
    private var count: UInt64 = 0
    private var width: UInt64 = 1

    var bytes: UInt64 { count * width }

    mutating func append(_ location: SFrameRow.Location, withControl: Bool) {
        count += withControl ? 2 : 1
        width = max(width, Int8(exactly: location.offset) != nil ? 1 : Int16(exactly: location.offset) != nil ? 2 : 4)
        if withControl { width = max(width, location.control <= UInt8.max ? 1 : 2) }
    }

    mutating func appendPadding() { count += 1 }
}

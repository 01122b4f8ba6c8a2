import CallFrameInfo
import ELF
import Inference
import UnwindTable

/// Call frame information that is made from instructions, for code that has none.
final class InferredFrames {
    var section: FrameSection { frames.section }
    private let frames: StatedFrameSection

    /// Nil if no code gets a rule.
    ///
    /// - Parameters:
    ///   - image: of x86-64 or aarch64.
    ///   - gaps: its code without call frame information.
    /// - Throws: `ELFError` if the image can't be read.
    init?(of image: ELFImage, _ gaps: CodeGaps) throws(ELFError) {
        var writer = InferredFrameWriter(machine: image.machine.rawValue)
        for table in gaps.linkageTables {
            let rows = LinkageTable.rows(
                try image.bytes(of: table), at: table.address, isAArch64: image.machine == .aarch64)
            writer.append(rows)
        }
        let canDecode = image.machine == .x86_64 && TableOptions.inferenceProblem == nil
        if canDecode { try writer.appendFunctions(of: image, gaps) }
        guard writer.frames.count > 0 else { return nil }
        frames = writer.frames.section()
    }
}

/// Turns rows that instructions show into FDEs, one for each run of addresses with rules.
struct InferredFrameWriter {
    private(set) var frames: StatedFrameWriter
    private let stackPointer: UInt8
    private var rows: [StatedFrameWriter.Row] = []

    init(machine: UInt16) {
        frames = StatedFrameWriter(machine: machine)
        stackPointer = machine == Machine.aarch64.rawValue ? 31 : 7
    }

    /// Appends a procedure linkage table.
    mutating func append(_ table: [LinkageTable.Row]) {
        for row in table {
            guard let depth = row.depth else {
                end(at: row.address)
                continue
            }
            rows.append(
                .init(
                    address: row.address, cfa: .register(stackPointer, offset: depth), framePointer: .unchanged,
                    returnAddress: row.isInLinkRegister ? .unchanged : .atCFA(-8)))
        }
    }

    /// Appends a function of x86-64.
    mutating func append(_ function: [InferredRow]) {
        for row in function {
            guard let rule = row.rule else {
                end(at: row.address)
                continue
            }
            rows.append(.init(row.address, rule))
        }
    }

    private mutating func end(at address: UInt64) {
        guard let first = rows.first else { return }
        frames.append(first.address..<address, rows)
        rows.removeAll(keepingCapacity: true)
    }
}

extension StatedFrameWriter.Row {
    fileprivate init(_ address: UInt64, _ rule: InferredRule) {
        let cfa: StatedFrameWriter.CFA =
            switch rule.cfa {
            case .register(let register, let offset): .register(register, offset: offset)
            case .stored(let register, let displacement, let addend):
                .stored(register, displacement: displacement, addend: addend)
            }
        let framePointer: StatedFrameWriter.Place =
            switch rule.framePointer {
            case .unknown: .undefined
            case .unchanged: .unchanged
            case .saved(let offset): .atCFA(offset)
            case .stored(let register, let displacement): .atRegister(register, displacement)
            }
        self.init(address: address, cfa: cfa, framePointer: framePointer)
    }
}

import CLibdw
import Glibc
import UnwindTable

/// A row of call frame information, as libdw evaluates it.
final class ReferenceFrame {
    /// The row holds from `asked`, the SVMA that libdw was asked about, to `end`: the row's end by libdw's account, or
    /// an earlier address where another FDE may begin.
    let asked: UInt64
    let end: UInt64
    let isSignalFrame: Bool
    /// DWARF number of the CIE's return address column.
    let returnAddressColumn: Int32
    private let frame: OpaquePointer
    let machine: TableMachine

    /// - Parameters:
    ///   - frame: libdw's frame, which this object takes ownership of.
    ///   - edge: the first later address where an FDE may begin or end.
    init(_ frame: OpaquePointer, at address: UInt64, _ machine: TableMachine, edge: UInt64 = .max) {
        self.frame = frame
        self.machine = machine
        asked = address
        var (start, end): (UInt64, UInt64) = (0, 0)
        var isSignalFrame = false
        returnAddressColumn = dwarf_frame_info(frame, &start, &end, &isSignalFrame)
        self.end = min(end, edge)
        self.isSignalFrame = isSignalFrame
    }

    deinit { free(UnsafeMutableRawPointer(frame)) }

    /// Whether the return address column is the one that the machine's ABI defines.
    var hasUsualReturnAddressColumn: Bool { returnAddressColumn == (machine == .aarch64 ? 30 : 16) }

    func meaning(of state: some FrameContext) -> FrameMeaning {
        let returnAddress = location(of: UInt64(returnAddressColumn))
        if case .undefined = returnAddress { return .endOfStack }
        guard let operations = cfaOperations else { return .unsaid("no CFA") }
        var evaluator = LocationEvaluator(state, cfa: nil)
        guard let cfa = evaluator.result(operations) else { return .unsaid("CFA") }
        guard let pc = Self.value(UInt64(returnAddressColumn), returnAddress, state, cfa) else {
            return .unsaid("return address")
        }
        let stackPointer = Self.value(machine.stackPointer, location(of: machine.stackPointer), state, cfa)
        guard let stackPointer else { return .unsaid("stack pointer") }
        var framePointer: UInt64?
        let place = location(of: machine.framePointer)
        if case .undefined = place {
        } else {
            framePointer = Self.value(machine.framePointer, place, state, cfa)
            if framePointer == nil { return .unsaid("frame pointer") }
        }
        return .caller(
            .init(
                cfa: cfa, stackPointer: stackPointer, framePointer: framePointer, returnAddress: pc,
                isSignalFrame: isSignalFrame))
    }

    enum Location {
        case undefined, same, unsaid
        case operations([Dwarf_Op])
    }

    /// Nil if there is no CFA.
    var cfaOperations: UnsafeBufferPointer<Dwarf_Op>? {
        var operations: UnsafeMutablePointer<Dwarf_Op>?
        var count = 0
        guard dwarf_frame_cfa(frame, &operations, &count) == 0, count > 0 else { return nil }
        return UnsafeBufferPointer(start: operations, count: count)
    }

    func location(of register: UInt64) -> Location {
        withUnsafeTemporaryAllocation(of: Dwarf_Op.self, capacity: 3) { memory in
            memory.initialize(repeating: Dwarf_Op())
            var operations: UnsafeMutablePointer<Dwarf_Op>?
            var count = 0
            guard let place = memory.baseAddress,
                dwarf_frame_register(frame, Int32(register), place, &operations, &count) == 0
            else { return .unsaid }
            // libdw.h: without operations, the register is undefined if the result points to our memory, and unchanged
            // if it is null.
            if count == 0 { return operations == nil ? .same : .undefined }
            return .operations(Array(UnsafeBufferPointer(start: operations, count: count)))
        }
    }

    private static func value(
        _ register: UInt64, _ location: Location, _ state: some FrameContext, _ cfa: UInt64
    ) -> UInt64? {
        switch location {
        case .undefined, .unsaid: return nil
        case .same: return state.register(register)
        case .operations(let operations):
            var evaluator = LocationEvaluator(state, cfa: cfa)
            return evaluator.value(operations)
        }
    }
}

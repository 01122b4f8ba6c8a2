import CLibdw
import Glibc
import UnwindTable

/// What libdw says of an ELF file's frames: the reference that tables are compared with.
public final class ReferenceImage {
    public struct Failure: Error, CustomStringConvertible {
        public let path: String
        public let message: String
        public var description: String { "\(path): libdw: \(message)" }
    }

    /// A row as libdw gives it.
    struct Row {
        /// SVMA behind the last byte that it holds for.
        var end: UInt64
        var meaning: FrameMeaning
        /// DWARF number of the CIE's return address column.
        var returnAddressColumn: Int32
    }

    /// −1 of an image in memory.
    private let descriptor: Int32
    /// What `elf` reads from, of an image in memory.
    private let memory: UnsafeMutableBufferPointer<CChar>?
    private let elf: OpaquePointer
    private var dwarf: OpaquePointer?
    /// Of .eh_frame and .debug_frame, in the order in which they are asked.
    private var sections: [OpaquePointer] = []
    private let framePointer: Int32
    /// The return address column of the machine's ABI.
    let usualReturnAddressColumn: Int32

    public convenience init(path: String) throws {
        _ = elf_version(UInt32(EV_CURRENT))
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(path: path, message: String(cString: strerror(errno))) }
        // Not mapped: a file that shrinks meanwhile is an error then, no SIGBUS.
        guard let elf = elf_begin(descriptor, ELF_C_READ, nil) else {
            close(descriptor)
            throw Failure(path: path, message: String(cString: elf_errmsg(-1)))
        }
        self.init(elf, descriptor: descriptor, memory: nil)
    }

    /// An image in memory.
    public convenience init(bytes: [UInt8], name: String) throws {
        _ = elf_version(UInt32(EV_CURRENT))
        let memory = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(memory).copyMemory(from: $0) }
        guard let elf = elf_memory(memory.baseAddress, bytes.count) else {
            memory.deallocate()
            throw Failure(path: name, message: String(cString: elf_errmsg(-1)))
        }
        self.init(elf, descriptor: -1, memory: memory)
    }

    private init(_ elf: OpaquePointer, descriptor: Int32, memory: UnsafeMutableBufferPointer<CChar>?) {
        self.elf = elf
        self.descriptor = descriptor
        self.memory = memory
        var header = GElf_Ehdr()
        let isAArch64 = gelf_getehdr(elf, &header) != nil && header.e_machine == TableMachine.aarch64.rawValue
        framePointer = isAArch64 ? 29 : 6
        usualReturnAddressColumn = isAArch64 ? 30 : 16
        if let ehFrame = dwarf_getcfi_elf(elf) { sections.append(ehFrame) }
        dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nil)
        // Owned by `dwarf`.
        if let dwarf, let debugFrame = dwarf_getcfi(dwarf) { sections.append(debugFrame) }
    }

    deinit {
        for section in sections where dwarf == nil || section != dwarf_getcfi(dwarf) { dwarf_cfi_end(section) }
        if let dwarf { dwarf_end(dwarf) }
        elf_end(elf)
        if descriptor >= 0 { close(descriptor) }
        memory?.deallocate()
    }

    /// The row in force at an address, as far as it is of a snapshot; nil where no FDE is.
    func row(at address: UInt64, of snapshot: Snapshot) -> Row? {
        for section in sections {
            var frame: OpaquePointer?
            if dwarf_cfi_addrframe(section, address, &frame) == 0, let frame {
                defer { free(UnsafeMutableRawPointer(frame)) }
                return row(frame, snapshot)
            }
        }
        return nil
    }

    private func row(_ frame: OpaquePointer, _ snapshot: Snapshot) -> Row {
        var (start, end): (UInt64, UInt64) = (0, 0)
        var isSignalFrame = false
        let column = dwarf_frame_info(frame, &start, &end, &isSignalFrame)
        return Row(
            end: end, meaning: meaning(frame, column, isSignalFrame, snapshot), returnAddressColumn: column)
    }

    private func meaning(
        _ frame: OpaquePointer, _ returnAddressColumn: Int32, _ isSignalFrame: Bool, _ snapshot: Snapshot
    ) -> FrameMeaning {
        var operations: UnsafeMutablePointer<Dwarf_Op>?
        var count = 0
        let returnAddress = value(of: returnAddressColumn, frame, cfa: nil)
        if case .undefined = returnAddress { return .endOfStack }
        guard dwarf_frame_cfa(frame, &operations, &count) == 0, count > 0 else { return .unsaid("no CFA") }
        var evaluator = LocationEvaluator(snapshot: snapshot, cfa: nil)
        guard let cfa = evaluator.result(UnsafeBufferPointer(start: operations, count: count)) else {
            return .unsaid("CFA")
        }
        func number(_ register: Int32) -> UInt64?? {
            switch value(of: register, frame, cfa: cfa) {
            case .undefined: return .some(nil)
            case .same: return (0..<32).contains(register) ? snapshot.registers[Int(register)] : .none
            case .failed: return .none
            case .location(let operations):
                var evaluator = LocationEvaluator(snapshot: snapshot, cfa: cfa)
                guard let number = evaluator.value(operations) else { return .none }
                return number
            }
        }
        guard case .some(.some(let pc)) = number(returnAddressColumn) else { return .unsaid("return address") }
        guard case .some(let callersFramePointer) = number(framePointer) else { return .unsaid("frame pointer") }
        return .caller(.init(
            cfa: cfa, framePointer: callersFramePointer, returnAddress: pc, isSignalFrame: isSignalFrame))
    }

    private enum RegisterValue {
        case undefined, same, failed
        case location([Dwarf_Op])
    }

    private func value(of register: Int32, _ frame: OpaquePointer, cfa: UInt64?) -> RegisterValue {
        withUnsafeTemporaryAllocation(of: Dwarf_Op.self, capacity: 3) { memory in
            memory.initialize(repeating: Dwarf_Op())
            var operations: UnsafeMutablePointer<Dwarf_Op>?
            var count = 0
            guard let place = memory.baseAddress,
                dwarf_frame_register(frame, register, place, &operations, &count) == 0 else { return .failed }
            // libdw.h: no operations means undefined if they would stand in our memory, and the same value if nowhere.
            if count == 0 { return operations == nil ? .same : .undefined }
            return .location(Array(UnsafeBufferPointer(start: operations, count: count)))
        }
    }
}

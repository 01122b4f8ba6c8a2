import CUnwindTable
import UnwindTable

extension TableView {
    /// What the rule in force at an address says of a snapshot: by the C code that kernels run.
    ///
    /// Signed return addresses keep their codes, which the reference doesn't strip either.
    public func meaning(at address: UInt64, of snapshot: Snapshot) -> FrameMeaning {
        var rule = rule(at: address)
        if let reason = rule.reason { return reason == .noInformation ? .nothing : .unsaid(reason.name) }
        let framePointer = header.machine == TableMachine.aarch64.rawValue ? 29 : 6
        var frame = cfic_frame()
        frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC)
        frame.address_bits = .max
        frame.machine.pc = snapshot.pc
        withUnsafeMutableBytes(of: &frame.machine.registers) { $0.copyBytes(from: snapshot.registers.bytes) }
        let step = withUnsafePointer(to: snapshot) { snapshot in
            var reader = cfic_reader(
                read: { context, to, size, address in
                    guard let context, let to else { return -1 }
                    let snapshot = context.assumingMemoryBound(to: Snapshot.self)
                    var number = snapshot.pointee.number(at: address, size: Int(size))
                    to.copyMemory(from: &number, byteCount: Int(size))
                    return 0
                },
                context: UnsafeMutableRawPointer(mutating: snapshot), operations: operations.baseAddress,
                operation_count: UInt32(operations.count))
            return cfic_native_unwind(&reader, &frame, &rule, UInt32(header.machine))
        }
        switch step {
        case CFIC_STEP_CALLER:
            let hasFramePointer = frame.flags & UInt32(CFIC_FRAME_NO_FRAME_POINTER) == 0
            let caller = withUnsafeBytes(of: frame.machine.registers) {
                $0.load(fromByteOffset: 8 * framePointer, as: UInt64.self)
            }
            return .caller(.init(
                cfa: frame.machine.cfa, framePointer: hasFramePointer ? caller : nil, returnAddress: frame.machine.pc,
                isSignalFrame: frame.flags & UInt32(CFIC_FRAME_EXACT_PC) != 0))
        case CFIC_STEP_END_OF_STACK: return .endOfStack
        default: return .unsaid(cfic_step_name(step.rawValue).map { String(cString: $0) } ?? "step \(step.rawValue)")
        }
    }
}

extension [UInt64] {
    fileprivate var bytes: [UInt8] { withUnsafeBytes { Array<UInt8>($0) } }
}

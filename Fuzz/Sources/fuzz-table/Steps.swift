import CUnwindTable
import Inputs
import UnwindTable

/// Steps by a table's rules on made-up frames.
struct Steps {
    private let view: TableView
    /// Rules stepped by: a table may have 65,536.
    private static let ruleCount = 1024

    init(_ view: TableView) { self.view = view }

    func run(_ random: inout RandomNumbers) {
        for rule in view.rules.prefix(Self.ruleCount) {
            for _ in 0..<2 { step(by: rule, &random) }
        }
    }

    private func step(by rule: Rule, _ random: inout RandomNumbers) {
        var rule = rule
        var frame = cfic_frame()
        withUnsafeMutableBytes(of: &frame) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        }
        // Where registers are missing, most steps end before they begin.
        if random.next() % 8 != 0 { frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS) }
        let result = withUnsafeMutablePointer(to: &random) { random in
            var reader = cfic_reader()
            reader.operations = view.operations.baseAddress
            reader.operation_count = UInt32(view.operations.count)
            reader.context = UnsafeMutableRawPointer(random)
            reader.read = { context, to, size, _ in
                guard let random = context?.assumingMemoryBound(to: RandomNumbers.self), let to else { return -1 }
                if random.pointee.next() % 16 == 0 { return -1 }
                for offset in 0..<Int(size) {
                    to.storeBytes(of: UInt8(truncatingIfNeeded: random.pointee.next()), toByteOffset: offset, as: UInt8.self)
                }
                return 0
            }
            return cfic_native_unwind(&reader, &frame, &rule, UInt32(view.header.machine))
        }
        if result.rawValue >= CFIC_STEP_COUNT.rawValue { fatalError("no such end of a step: \(result.rawValue)") }
    }
}

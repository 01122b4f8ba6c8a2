import CUnwindTable
import Inputs
import UnwindTable

/// Steps and walks by a table's rules, with random frames and random memory.
struct Unwinding {
    private let table: cfic_native_table
    private let rules: Range<UInt32>
    /// The context of the C reader.
    private var memory: MadeUpMemory
    /// The most rules to step by; a table may have 65,536.
    private static let ruleCount = 1024
    private static let walkCount = 4
    /// `CFIC_FRAMES_MAX`
    private static let longestWalk = 1024

    init(_ view: TableView, seed: UInt64) {
        table = cfic_native_table(verified: view.bytes)
        rules = 0..<UInt32(view.rules.count)
        memory = MadeUpMemory(table, pageShift: view.pageShift, RandomNumbers(seed: seed))
    }

    mutating func run() {
        for number in rules.prefix(Self.ruleCount) {
            let rule = withUnsafePointer(to: table) { cfic_native_rule($0, number) }
            for _ in 0..<2 { step(by: rule) }
        }
        for _ in 0..<Self.walkCount { walk() }
    }

    private mutating func step(by rule: cfic_rule) {
        var rule = rule
        var frame = memory.frame()
        let machine = UInt32(table.machine)
        check(withReader { cfic_native_unwind(&$0, &frame, &rule, machine) })
    }

    private mutating func walk() {
        var frame = memory.frame()
        frame.machine.pc = memory.word()
        let machine = UInt32(table.machine)
        memory.visited = 0
        check(
            withReader { reader in
                let visit: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<cfic_frame>?) -> Void = {
                    context, _ in
                    context?.assumingMemoryBound(to: MadeUpMemory.self).pointee.visited += 1
                }
                return cfic_native_walk(&reader, &frame, machine, visit, reader.context)
            })
        if memory.visited > Self.longestWalk { fatalError("a walk of \(memory.visited) frames") }
    }

    private func check(_ step: cfic_step) {
        if step.rawValue >= CFIC_STEP_COUNT.rawValue { fatalError("no such end of a step: \(step.rawValue)") }
    }

    private mutating func withReader(_ body: (inout cfic_reader) -> cfic_step) -> cfic_step {
        let table = table
        return withUnsafeMutablePointer(to: &memory) { memory in
            var reader = cfic_reader()
            reader.context = UnsafeMutableRawPointer(memory)
            reader.operations = table.operations
            reader.operation_count = table.operation_count
            reader.read = { context, to, size, _ in
                guard let memory = context?.assumingMemoryBound(to: MadeUpMemory.self), let to else { return -1 }
                return memory.pointee.fill(UnsafeMutableRawBufferPointer(start: to, count: Int(size))) ? 0 : -1
            }
            reader.find = { context, _, table, _ in
                guard let context else { return CFIC_STEP_NO_TABLE }
                let memory = context.assumingMemoryBound(to: MadeUpMemory.self)
                table?.pointee = memory.pointer(to: \.native).map { UnsafePointer($0) }
                return CFIC_STEP_CALLER
            }
            return body(&reader)
        }
    }
}

/// Random registers and memory. Many words are addresses in the table's pages, so that walks continue.
private struct MadeUpMemory {
    var native: cfic_native_table
    /// Number of frames that the walk visited.
    var visited = 0
    private var random: RandomNumbers
    private let ranges: UnsafeBufferPointer<cfic_range>
    private let pageShift: UInt64

    init(_ native: cfic_native_table, pageShift: UInt64, _ random: RandomNumbers) {
        self.native = native
        ranges = UnsafeBufferPointer(start: native.ranges, count: Int(native.range_count))
        self.pageShift = pageShift
        self.random = random
    }

    mutating func word() -> UInt64 {
        let number = random.next()
        guard number % 4 != 0, !ranges.isEmpty else { return random.next() }
        let range = ranges[Int(random.next() % UInt64(ranges.count))]
        return range.start_page << pageShift &+ random.next() % (UInt64(range.page_count) << pageShift | 1)
    }

    /// Fills the bytes; returns false if the memory can't be read.
    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        if random.next() % 16 == 0 { return false }
        for offset in stride(from: 0, to: bytes.count, by: 8) {
            withUnsafeBytes(of: word()) { word in
                for index in offset..<min(offset + 8, bytes.count) { bytes[index] = word[index - offset] }
            }
        }
        return true
    }

    mutating func frame() -> cfic_frame {
        var frame = cfic_frame()
        withUnsafeMutableBytes(of: &frame) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        }
        // Usually all registers are known; otherwise most steps would fail at once.
        if random.next() % 8 != 0 { frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS) }
        return frame
    }
}

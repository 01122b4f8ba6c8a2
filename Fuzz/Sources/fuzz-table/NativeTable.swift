import CUnwindTable

extension cfic_native_table {
    /// A table for C.
    ///
    /// - Parameter bytes: a table that was verified, valid as long as this is used.
    init(verified bytes: UnsafeRawBufferPointer) {
        let header = bytes.loadUnaligned(as: cfic_table_header.self)
        func start(_ section: cfic_section) -> UnsafeRawPointer? { bytes.baseAddress.map { $0 + Int(section.offset) } }
        let (ranges, directory, rules, expressions, pages) = header.sections
        self.init(
            ranges: start(ranges)?.assumingMemoryBound(to: cfic_range.self),
            directory: start(directory)?.assumingMemoryBound(to: UInt32.self),
            rules: start(rules)?.assumingMemoryBound(to: cfic_rule.self),
            operations: start(expressions)?.assumingMemoryBound(to: cfic_op.self),
            pages: start(pages)?.assumingMemoryBound(to: UInt8.self),
            range_count: UInt32(ranges.size) / UInt32(MemoryLayout<cfic_range>.size),
            operation_count: UInt32(expressions.size) / UInt32(MemoryLayout<cfic_op>.size),
            machine: header.machine, pc_shift: header.pc_shift)
    }
}

import CUnwindTable

extension cfic_native_table {
    /// A table for C.
    ///
    /// - Parameter bytes: a table that was verified, valid as long as this is used.
    init(verified bytes: UnsafeRawBufferPointer) {
        self = cfic_native_sections(bytes.baseAddress?.assumingMemoryBound(to: cfic_table_header.self))
    }
}

/// Receives bytes piece by piece. A sink remembers its first failure and drops all later bytes.
public protocol ByteSink: TextOutputStream {
    /// Takes the next bytes, which are valid until this returns.
    mutating func write(_ bytes: UnsafeRawBufferPointer)
}

extension ByteSink {
    /// Writes the text's UTF-8.
    public mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }
}

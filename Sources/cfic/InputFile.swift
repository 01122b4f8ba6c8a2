import Files
import Glibc

/// A file that the user named, to look at what kind it is.
enum InputFile {
    /// - Parameter body: takes the descriptor, which is closed when it returns. Neither a FIFO nor a terminal holds up
    ///   opening it.
    /// - Throws: ``Failure`` with the path, or what `body` throws.
    static func open<Value>(_ path: String, _ body: (Int32) throws -> Value) throws -> Value {
        let descriptor = path.withPath { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { throw Failure("\(path): \(systemMessage(errno))") }
        defer { close(descriptor) }
        return try body(descriptor)
    }
}

import ELF
import Glibc
import Testing

/// A directory that is removed after the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/elf-tests-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit {
        system("rm -rf '\(path)'")
    }

    /// Writes a file, makes its directories, and returns its path.
    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = "\(path)/\(name)"
        let directory = file[..<file.lastIndex(of: "/")!]
        try #require(system("mkdir -p '\(directory)'") == 0)
        let stream = try #require(fopen(file, "w"))
        defer { fclose(stream) }
        try #require(fwrite(bytes, 1, bytes.count, stream) == bytes.count)
        return file
    }
}

func image(_ builder: ELFBuilder) throws -> ELFImage {
    try ELFImage(bytes: builder.bytes, name: "test")
}

/// The error of opening the bytes as an image.
func openingError(_ bytes: [UInt8]) -> ELFError? {
    do {
        _ = try ELFImage(bytes: bytes, name: "test")
        return nil
    } catch {
        return error
    }
}

/// The error that `body` throws.
func elfError<T>(_ body: () throws -> T) -> ELFError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? ELFError
    }
}

extension ELFError {
    var isMalformed: Bool {
        if case .malformed = kind { true } else { false }
    }

    var isUnsupported: Bool {
        if case .unsupported = kind { true } else { false }
    }
}

extension ELFImage {
    /// A copy of the bytes of the section with this name.
    func contents(of name: String) throws -> [UInt8] {
        let section = try #require(try sections().first { $0.name == name })
        return Array(try bytes(of: section))
    }
}

import Files

/// Why an ELF file, or a part of it, could not be read.
///
/// Any defect of a file is reported as this error; nothing in this module traps on one.
public struct ELFError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Kind: Equatable, Sendable {
        /// `open(2)` or `stat(2)` failed.
        case cannotOpen(errno: Int32)
        /// `pread(2)` failed.
        case cannotRead(errno: Int32)
        /// A directory, FIFO, socket or device.
        case notRegularFile
        /// A file without bytes, as most files in /proc appear to be.
        case empty
        /// The first four bytes are not `\x7fELF`.
        case notELF
        /// The file contradicts itself or the specification; the text says how.
        case malformed(String)
        /// Valid as far as is known, but not supported by this module; the text says what.
        case unsupported(String)
        /// Users who can't write the image can write this file, which would describe it.
        case writableByOthers
        /// The path now leads to another file, or to another state of the same file.
        case isAnotherFile
    }

    /// The path of the file, or the name that was given to an image in memory.
    public var file: String
    /// The section in question, if it is known.
    public var section: String?
    /// In bytes, from the start of `section` if there is one, else from the start of the file.
    public var offset: UInt64?
    /// What is wrong.
    public var kind: Kind

    /// An error in a file.
    ///
    /// - Parameters:
    /// - file: the path, or the name of an image in memory.
    /// - section: the section in question, if it is known.
    /// - offset: in bytes, from the start of the section if there is one, else from the start of the file.
    /// - kind: what is wrong.
    public init(file: String, section: String? = nil, offset: UInt64? = nil, kind: Kind) {
        self.file = file
        self.section = section
        self.offset = offset
        self.kind = kind
    }

    /// `FILE: .eh_frame+0x12: what is wrong`
    public var description: String {
        switch (section, offset) {
        case (let section?, let offset?): "\(file): \(section)+\(offset.hex): \(kind)"
        case (let section?, nil): "\(file): \(section): \(kind)"
        case (nil, let offset?): "\(file): offset \(offset.hex): \(kind)"
        case (nil, nil): "\(file): \(kind)"
        }
    }
}

extension ELFError.Kind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotOpen(let code): "cannot open: \(systemMessage(code))"
        case .cannotRead(let code): "cannot read: \(systemMessage(code))"
        case .notRegularFile: "not a regular file"
        case .empty: "empty file"
        case .notELF: "not an ELF file"
        case .malformed(let what): what
        case .unsupported(let what): "unsupported: \(what)"
        case .isAnotherFile: "replaced or changed since it was last read"
        case .writableByOthers: "writable by others, unlike the file that it belongs to"
        }
    }
}

import CallFrameInfo
import ELF
import UnwindTable

/// Why a file without errors gets no table.
public enum SkipReason: Error, Equatable, Sendable, CustomStringConvertible {
    /// Tables are only for x86-64 and aarch64, little-endian and with 64-bit addresses; says what this is.
    case unsupportedMachine(String)
    /// A relocatable file, such as a `.o` or a kernel module: its sections overlap at address 0.
    case relocatable
    /// A core dump.
    case coreDump
    /// A separate debug file; it is merged when its binary is compiled.
    case separateDebugFile
    /// Neither an executable nor a library (`e_type`).
    case notAnImage
    /// No FDE covers executable bytes.
    case noCallFrameInformation

    public var description: String {
        switch self {
        case .unsupportedMachine(let name): "machine \(name) is not supported; x86-64 and aarch64 are"
        case .relocatable: "relocatable file: link it first (dump and stats can read it)"
        case .coreDump: "core dump"
        case .separateDebugFile: "separate debug file: it is merged when its binary is compiled"
        case .notAnImage: "neither a program nor a library"
        case .noCallFrameInformation: "no call frame information"
        }
    }

    /// A stable, machine-readable name.
    public var name: String {
        switch self {
        case .unsupportedMachine: "unsupported-machine"
        case .relocatable: "relocatable"
        case .coreDump: "core-dump"
        case .separateDebugFile: "separate-debug-file"
        case .notAnImage: "not-an-image"
        case .noCallFrameInformation: "no-call-frame-information"
        }
    }
}

extension ELFImage {
    /// The machine of this image's table.
    ///
    /// - Throws: `SkipReason` if, by its ELF header, the image gets no table.
    public func tableMachine() throws(SkipReason) -> TableMachine {
        switch fileType {
        case .executable, .sharedObject: break
        case .relocatable: throw .relocatable
        case .core: throw .coreDump
        default: throw .notAnImage
        }
        guard let machine = TableMachine(rawValue: machine.rawValue), !isBigEndian else {
            throw .unsupportedMachine(isBigEndian ? "\(self.machine.name) (big-endian)" : self.machine.name)
        }
        guard is64Bit else { throw .unsupportedMachine("\(self.machine.name) with 32-bit addresses") }
        return machine
    }
}

import CLibdw
import ELF
import Files
import Glibc

/// A mapped file as libdwfl gets it. It searches for no file itself.
final class ReferenceModule {
    let name: String
    /// AVMAs of its segments, rounded to whole memory pages.
    let range: Range<UInt64>
    /// The bytes of an image in memory; nil for a file. The caller keeps them valid.
    let memory: UnsafeMutableBufferPointer<CChar>?
    private let path: String
    private let debugPath: String?

    /// - Parameters:
    ///   - path: where the file can be opened; without a meaning for an image in memory.
    ///   - debugPath: likewise for the file with the rest of its .debug_frame.
    init(
        name: String, range: Range<UInt64>, memory: UnsafeMutableBufferPointer<CChar>?, path: String, debugPath: String?
    ) {
        (self.name, self.range, self.memory, self.path, self.debugPath) = (name, range, memory, path, debugPath)
    }

    fileprivate static func of(_ userdata: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> ReferenceModule? {
        userdata?.pointee.map { Unmanaged<ReferenceModule>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Gives libdwfl this module's image: returns an open descriptor, or sets an image in memory and returns −1.
    fileprivate func hand(
        _ name: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ elf: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        name?.pointee = self.name.withPath { strdup($0) }
        if let memory { elf?.pointee = elf_memory(memory.baseAddress, memory.count) }
        return memory == nil ? path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) } : -1
    }

    fileprivate func handDebugFile(_ name: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32 {
        guard let debugPath else { return -1 }
        name?.pointee = debugPath.withPath { strdup($0) }
        return debugPath.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    }
}

/// A session of libdwfl with the files that a process mapped.
final class ReferenceSession {
    struct Failure: Error, CustomStringConvertible {
        let name: String
        let message: String
        var description: String { "\(name): libdwfl: \(message)" }
    }

    let session: OpaquePointer
    /// A core dump that the session reads; it is ended after the session.
    var elf: OpaquePointer?
    private let modules: [ReferenceModule]
    private let callbacks: UnsafeMutablePointer<Dwfl_Callbacks>
    private var threadCallbacks: UnsafeMutablePointer<Dwfl_Thread_Callbacks>?

    /// - Parameters:
    ///   - modules: in ascending order of addresses, without overlaps.
    ///   - name: whose modules these are, for errors.
    init(_ modules: [ReferenceModule], name: String) throws(Failure) {
        self.modules = modules
        _ = elf_version(UInt32(EV_CURRENT))
        callbacks = .allocate(capacity: 1)
        callbacks.initialize(
            to: Dwfl_Callbacks(
                find_elf: { _, userdata, _, _, name, elf in ReferenceModule.of(userdata)?.hand(name, elf) ?? -1 },
                find_debuginfo: { _, userdata, _, _, _, _, _, name in
                    ReferenceModule.of(userdata)?.handDebugFile(name) ?? -1
                },
                section_address: dwfl_offline_section_address, debuginfo_path: nil))
        guard let session = dwfl_begin(callbacks) else {
            callbacks.deallocate()
            throw Failure(name: name, message: LibdwFile.text(dwfl_errmsg(-1)))
        }
        self.session = session
        dwfl_report_begin(session)
        for module in modules {
            guard
                let reported = dwfl_report_module(
                    session, module.name, module.range.lowerBound, module.range.upperBound)
            else { throw Failure(name: name, message: LibdwFile.text(dwfl_errmsg(-1))) }
            var userdata: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
            dwfl_module_info(reported, &userdata, nil, nil, nil, nil, nil, nil)
            // Unretained, because `modules` keeps it alive.
            userdata?.pointee = Unmanaged.passUnretained(module).toOpaque()
        }
        guard dwfl_report_end(session, nil, nil) == 0 else {
            throw Failure(name: name, message: LibdwFile.text(dwfl_errmsg(-1)))
        }
    }

    /// Unwinds threads whose registers and memory come from callbacks.
    ///
    /// - Parameters:
    ///   - context: handed to the callbacks, which must not be called after its end.
    ///   - name: as for ``init(_:name:)``.
    func attach(_ callbacks: Dwfl_Thread_Callbacks, _ context: UnsafeMutableRawPointer, name: String) throws(Failure) {
        let kept = UnsafeMutablePointer<Dwfl_Thread_Callbacks>.allocate(capacity: 1)
        kept.initialize(to: callbacks)
        threadCallbacks = kept
        // Nothing uses the process id.
        guard dwfl_attach_state(session, nil, 1, kept, context) else {
            throw Failure(name: name, message: LibdwFile.text(dwfl_errmsg(-1)))
        }
    }

    deinit {
        dwfl_end(session)
        threadCallbacks?.deallocate()
        if let elf { elf_end(elf) }
        callbacks.deallocate()
    }
}

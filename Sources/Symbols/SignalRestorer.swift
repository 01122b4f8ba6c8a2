import ELF

/// The code that signal handlers return to. It calls rt_sigreturn(2), and is a frame of the stack. Most C libraries
/// have no symbol for it, so it is recognised by its code.
enum SignalRestorer {
    /// Its name in the sources of C libraries for Linux.
    static let name = "__restore_rt"

    /// `mov $15, %rax` or `mov $15, %eax`; `syscall`.
    private static let x86_64: [[UInt8]] = [
        [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05],
    ]
    /// `mov x8, #139`; `svc #0`.
    private static let aarch64: [[UInt8]] = [[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4]]

    /// SVMA of the start of the restorer that a frame is in; nil if it is in none.
    ///
    /// - Parameters:
    ///   - pc: SVMA of the frame's pc.
    ///   - isExact: whether `pc` is the current instruction: the first, the second, or after the second during the
    ///     system call. Otherwise it is the address that the handler returns to.
    static func start(at pc: UInt64, isExact: Bool, in image: ELFImage) -> UInt64? {
        let forms = image.machine == .x86_64 ? x86_64 : image.machine == .aarch64 ? aarch64 : []
        for form in forms {
            let callSize = image.machine == .x86_64 ? 2 : 4
            for offset in isExact ? [0, form.count - callSize, form.count] : [0] {
                let (start, underflow) = pc.subtractingReportingOverflow(UInt64(offset))
                let (end, overflow) = start.addingReportingOverflow(UInt64(form.count))
                guard !underflow, !overflow else { continue }
                if let bytes = try? image.bytes(at: start..<end), bytes == form { return start }
            }
        }
        return nil
    }
}

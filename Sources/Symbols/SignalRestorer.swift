import ELF

/// The code that signal handlers return to: it calls rt_sigreturn(2), and has its place in a stack as a frame. In most
/// C libraries it has no symbol, so that it is known by its code.
enum SignalRestorer {
    /// What C libraries for Linux call it in their sources.
    static let name = "__restore_rt"

    /// `mov $15, %rax` or `mov $15, %eax`; `syscall`.
    private static let x86_64: [[UInt8]] = [
        [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05],
    ]
    /// `mov x8, #139`; `svc #0`.
    private static let aarch64: [[UInt8]] = [[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4]]

    /// SVMA at which the restorer begins that a frame is in; nil if it is in none.
    ///
    /// - Parameters:
    ///   - pc: SVMA at which the frame stands, or to which a call, here the kernel's of the handler, returns.
    ///   - isExact: whether it stands there: at the first instruction, at the second, or behind it in the kernel.
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

/// Synthetic call frame information with a single row, for code that has none or whose own is incomplete: a CIE and an FDE as
/// in .debug_frame (DWARF 5 §6.4.1).
public final class StatedFrame {
    /// Valid as long as this object exists.
    public var section: FrameSection { frame.section }
    private let frame: StatedFrameSection

    /// - Parameters:
    ///   - addresses: SVMAs that the FDE covers.
    ///   - machine: ELF `e_machine` of x86-64 or aarch64.
    ///   - instructions: call frame instructions without an advance; the row after them holds for all the addresses.
    public init(_ addresses: Range<UInt64>, machine: UInt16, isSignalFrame: Bool = false, instructions: [UInt8]) {
        // Version 1, augmentation "zS" (signal frame) or "z", alignment factors 1 or 4 and -8, return address in rip or
        // x30, no augmentation data.
        let isAArch64 = machine == 183
        let augmentation: [UInt8] = isSignalFrame ? [0x7a, 0x53, 0] : [0x7a, 0]
        let cie: [UInt8] = [1] + augmentation + [isAArch64 ? 4 : 1, 0x78, isAArch64 ? 30 : 16, 0]
        frame = StatedFrameSection(
            StatedFrameSection.entry([0xff, 0xff, 0xff, 0xff] + cie)
                + StatedFrameSection.entry(
                    littleEndian(UInt32(0)) + littleEndian(addresses.lowerBound)
                        + littleEndian(UInt64(addresses.count)) + [0] + instructions),
            machine: machine)
    }
}

import Files
@testable import KernelUnwinder
@testable import Profile
import ProfileFormats
import Testing

/// What was written.
struct Bytes: ByteSink {
    var bytes: [UInt8] = []
    mutating func write(_ bytes: UnsafeRawBufferPointer) { self.bytes += bytes }
}

/// What all formats have in common.
@Suite struct FormatTests {
    private static let formats: [any ProfileFormat] = [FoldedFormat(), JSONFormat()]

    /// Names of threads and files may hold what terminals obey.
    @Test(arguments: formats) func textIsPrintable(format: any ProfileFormat) throws {
        var made = MadeRecording(mapping: ["/a\u{1b}[2J\u{9b}", "/\u{202e}b\n"])
        made.add(
            MadeRecording.stack(
                [Sample.Frame(0x1010, isExact: true), Sample.Frame(0x2010)], thread: "\u{7f}x\r",
                addresses: [0x1010, 0x2010]))
        var output = Bytes()
        try format.write(made.recording(), names: Symbolizer(made.programs), to: &output)
        let text = String(decoding: output.bytes, as: UTF8.self)
        let controls: Set<Unicode.Scalar> = ["\u{1b}", "\u{9b}", "\u{202e}", "\u{7f}", "\r"]
        #expect(text.contains("[2J") && !text.unicodeScalars.contains { controls.contains($0) }, "\(text)")
    }

    /// What shows no process, and no address of one, needs no stacks of their own for each process.
    @Test func stacksOfProcessesAreToldApartForReportsAlone() {
        #expect(!FoldedFormat().tellsProcessesApart && JSONFormat().tellsProcessesApart)
    }

    @Test func foldedFormatIsFoldedStacks() {
        var made = MadeRecording(mapping: ["/a"])
        made.add(MadeRecording.stack([Sample.Frame(0x1010, isExact: true)]), count: 2)
        var output = Bytes()
        FoldedFormat().write(made.recording(), names: Symbolizer(made.programs), to: &output)
        #expect(String(decoding: output.bytes, as: UTF8.self) == "thread;[a] 2\n")
    }
}

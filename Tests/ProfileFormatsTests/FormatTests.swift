import Files
@testable import KernelUnwinder
@testable import Profile
import ProfileFormats
import Testing

/// Collects the written bytes.
struct Bytes: ByteSink {
    var bytes: [UInt8] = []
    mutating func write(_ bytes: UnsafeRawBufferPointer) { self.bytes += bytes }
}

/// Properties of all formats.
@Suite struct FormatTests {
    private static let formats: [any ProfileFormat] = [FoldedFormat(), JSONFormat()]

    /// Names of threads and files may contain terminal commands.
    @Test(arguments: formats) func textIsPrintable(format: any ProfileFormat) throws {
        var made = MadeRecording(mapping: ["/a\u{1b}[2J\u{9b}", "/\u{202e}b\n"])
        made.add(
            MadeRecording.stack(
                [Sample.Frame(0x1010, isExact: true), Sample.Frame(0x2010)], thread: "\u{7f}x\r",
                addresses: [0x1010, 0x2010]))
        var output = Bytes()
        try format.write(made.recording(), names: Symbolizer(made.processes), to: &output)
        let text = String(decoding: output.bytes, as: UTF8.self)
        let controls: Set<Unicode.Scalar> = ["\u{1b}", "\u{9b}", "\u{202e}", "\u{7f}", "\r"]
        #expect(text.contains("[2J") && !text.unicodeScalars.contains { controls.contains($0) }, "\(text)")
    }

    /// A format that prints neither processes nor their addresses needs no separate stacks for each process.
    @Test func stacksOfProcessesAreToldApartForReportsAlone() {
        #expect(!FoldedFormat().tellsProcessesApart && JSONFormat().tellsProcessesApart)
    }

    @Test func foldedFormatIsFoldedStacks() {
        var made = MadeRecording(mapping: ["/a"])
        made.add(MadeRecording.stack([Sample.Frame(0x1010, isExact: true)]), count: 2)
        var output = Bytes()
        FoldedFormat().write(made.recording(), names: Symbolizer(made.processes), to: &output)
        #expect(String(decoding: output.bytes, as: UTF8.self) == "thread;[a] 2\n")
    }
}

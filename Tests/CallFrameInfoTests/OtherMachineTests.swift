import CallFrameInfo
import ELF
import Foundation
import TableCompiler
import Testing

/// Relocatable files for other machines, assembled by the toolchain's clang, are listed like readelf lists them.
@Suite struct OtherMachineTests {
    /// Two functions, the second not at the start of its section, with advances that have relocations on RISC-V.
    private static func source(_ move: String) -> String {
        """
        .text
        f:
        .cfi_startproc
        \(move)
        .cfi_def_cfa_offset 16
        \(move)
        .cfi_def_cfa_offset 0
        .cfi_endproc
        .fill 2, 4, 0
        g:
        .cfi_startproc
        \(move)
        .cfi_def_cfa_offset 32
        .fill 100, 4, 0
        .cfi_def_cfa_offset 48
        .fill 1, 4, 0
        .cfi_endproc

        """
    }

    @Test(
        arguments: [
            ("riscv64-linux-gnu", ".option norvc\naddi sp, sp, -16"),
            ("riscv32-linux-gnu", ".option norvc\naddi sp, sp, -16"),
            ("powerpc64le-linux-gnu", "nop"), ("powerpc64-linux-gnu", "nop"), ("powerpc-linux-gnu", "nop"),
            ("s390x-linux-gnu", "lgr %r1, %r1"), ("mips-linux-gnu", "nop"), ("mipsel-linux-gnu", "nop"),
            ("mips64-linux-gnuabi64", "nop"), ("mips64el-linux-gnuabi64", "nop"), ("arm-linux-gnueabi", "nop"),
            ("aarch64-linux-gnu", "nop"), ("i386-linux-gnu", ".fill 4, 1, 0x90"),
        ], [".eh_frame", ".debug_frame"])
    func functionsStandWhereTheyAre(_ target: (String, String), _ section: String) throws {
        let directory = NSTemporaryDirectory() + "cfic-machines-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let source = ".cfi_sections \(section)\n" + Self.source(target.1)
        try source.write(toFile: directory + "/a.s", atomically: true, encoding: .utf8)
        try assemble(target.0, directory)
        let image = try ELFImage(path: directory + "/a.o")
        let sources = try FrameSources(of: image, search: nil)
        try #require(!sources.sections.isEmpty && sources.notes.isEmpty, "\(sources.notes)")
        var index = FrameIndex()
        try index.read(sources.sections, clippedTo: nil)
        let spans = (0..<index.count).map { index.span(at: $0) }.map { $0.start..<$0.limit }
        #expect(spans == [0..<8, 16..<424])
        #expect(index.malformed.isEmpty)
        var text = ""
        FrameListing(sections: sources.sections).writeRows(to: &text)
        withExtendedLifetime(sources) {}
        // Lines of rows start with an address. The last ones are g's.
        let rows = text.split(separator: "\n").compactMap { line in
            line.split(separator: " ").first.flatMap { $0.count >= 8 ? UInt64($0, radix: 16) : nil }
        }
        #expect(rows.suffix(3) == [16, 20, 420], "\(text)")
    }

    private func assemble(_ target: String, _ directory: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["clang", "--target=\(target)", "-c", "-o", "\(directory)/a.o", "\(directory)/a.s"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }
}

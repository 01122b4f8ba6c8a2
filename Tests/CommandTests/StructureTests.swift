import Foundation
import Testing

/// `make structure`: modules import in one direction.
@Suite struct StructureTests {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    private let place: Workplace

    init() throws { place = try Workplace() }

    @Test func importsGoOneWay() throws {
        let outcome = try place.shell("'\(Self.project)/scripts/structure.sh'")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(outcome.output.contains("ELF             ◀── Files GoFunctionTable Search\n"))
    }

    @Test(arguments: [
        ("ELF", "import CallFrameInfo", "an arrow back: ELF imports CallFrameInfo"),
        ("UnwindTable", "@testable import TableBuilder", "an arrow back: UnwindTable imports TableBuilder"),
        ("Unheard", "import ELF", "Unheard is not in the table"),
    ])
    func arrowBackIsAFailure(module: String, line: String, problem: String) throws {
        let directory = "\(place.directory)/Sources/\(module)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try line.write(toFile: directory + "/File.swift", atomically: true, encoding: .utf8)
        let outcome = try place.shell("'\(Self.project)/scripts/structure.sh' Sources")
        #expect(outcome.code == 1 && outcome.diagnostics.contains(problem), "\(outcome.diagnostics)")
    }

    /// Another release of the formatter may break lines elsewhere.
    @Test(.enabled(if: hasPinnedToolchain, "the toolchain is not the one that .swift-version names"))
    func codeIsFormatted() throws {
        let outcome = try place.shell("make -s -C '\(Self.project)' check-format")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
    }

    private static var hasPinnedToolchain: Bool {
        guard let pinned = try? String(contentsOfFile: project + "/.swift-version", encoding: .utf8),
            let version = try? Workplace().shell("swift format --version").output
        else { return false }
        return pinned == version
    }
}

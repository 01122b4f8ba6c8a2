import Foundation
import Testing

/// `make structure`: modules import in one direction.
@Suite struct StructureTests {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    private let place: Workplace

    init() throws { place = try Workplace() }

    @Test func importsGoOneWay() throws {
        let outcome = try place.shell("'\(Self.project)/scripts/structure.sh'")
        #expect(outcome.code == 0, "\(outcome.talk)")
        #expect(outcome.output.contains("ELF             ◀── Files\n"))
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
        #expect(outcome.code == 1 && outcome.talk.contains(problem), "\(outcome.talk)")
    }
}

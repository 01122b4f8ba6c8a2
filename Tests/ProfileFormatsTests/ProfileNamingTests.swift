import ELF
import Files
import Profile
import Foundation
@testable import ProfileFormats
import Symbols
import TestFixtures
import Testing

/// Names that are found again.
@Suite struct ProfileNamingTests {
    private let fixture: Fixture
    private let library: String, buildID: String
    /// Where `outer` calls what is inlined, and where `plain` begins.
    private let inlined: UInt64, plain: UInt64

    init() throws {
        fixture = try Fixture()
        let source = """
            volatile int sink;
            static inline __attribute__((always_inline)) void inner(void) { sink++; }
            void outer(void) { inner(); }
            void plain(void) { sink--; }
            """
        try source.write(toFile: "\(fixture.directory)/a.c", atomically: false, encoding: .utf8)
        try run(
            words: ["gcc", "-O2", "-g", "-shared", "-fPIC", "-Wl,--build-id=sha1", "-o", "a.so", "a.c"],
            in: fixture.directory)
        library = "\(fixture.directory)/a.so"
        let image = try ELFImage(path: library)
        buildID = Hex.text(try #require(try image.buildID()))
        let symbols = try run("/usr/bin/nm", library).split(separator: "\n").map { $0.split(separator: " ") }
        func address(_ name: String) throws -> UInt64 {
            try #require(symbols.first { $0.last == Substring(name) }.flatMap { UInt64($0[0], radix: 16) })
        }
        (inlined, plain) = (try address("outer"), try address("plain"))
    }

    private func profile(buildID: String) -> NamedProfile {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1)
        let module = profile.number(of: .init(path: profile.name(library), buildID: profile.name(buildID)))
        func frame(_ address: UInt64, _ marks: NamedProfile.Marks, _ name: String = "?") -> UInt32 {
            let name = profile.name(name)
            return profile.number(
                of: .init(
                    function: name, symbol: name, module: module, address: address, file: profile.noName, marks: marks))
        }
        // A return address is the first byte of the next function.
        let caller = profile.node(of: frame(plain + 1, []), calledFrom: 0)
        var node = profile.node(of: frame(inlined, [.exact, .guessed]), calledFrom: caller)
        node = profile.node(of: frame(inlined, [.exact, .inlined], "wrong"), calledFrom: node)
        let name = profile.name("t")
        let stack = profile.add(
            .init(
                node: node, process: 1, thread: name, cgroup: name, isWaiting: false, end: name, outcome: .guessed),
            .init(samples: 3, total: 3))
        var timeline = Timeline()
        timeline.append(.init(time: 5, thread: 1, cpu: 0, stack: stack))
        profile.timeline = timeline
        return profile
    }

    private func frames(_ profile: NamedProfile) -> [String] {
        profile.frames(from: profile.stacks[0].stack.node).map {
            "\(profile.names[$0.function]) \(profile.names[$0.file].hasSuffix("a.c") ? "a.c" : ""):\($0.line) \($0.marks.rawValue)"
        }
    }

    @Test func inlinedFunctionsAndLinesAreFound() throws {
        var naming = ProfileNaming(inlines: true)
        let named = naming.named(profile(buildID: buildID))
        #expect(frames(named) == ["inner a.c:2 50", "outer a.c:3 34", "plain a.c:4 0"] && naming.fileCount == 1)
        #expect(naming.problems.isEmpty && named.timeline?.map(\.stack) == [0])
        #expect(named.total == .init(samples: 3, total: 3) && named.stacks[0].stack.outcome == .guessed)
    }

    @Test func namesAloneAreFound() throws {
        var naming = ProfileNaming(inlines: false)
        #expect(frames(naming.named(profile(buildID: buildID))) == ["wrong :0 48", "outer :0 34", "plain :0 0"])
    }

    @Test func anotherFileOfThePathIsNotRead() throws {
        var naming = ProfileNaming(inlines: true)
        let named = naming.named(profile(buildID: String(buildID.reversed())))
        #expect(frames(named) == ["wrong :0 48", "? :0 34", "? :0 0"] && naming.fileCount == 0)
    }
}

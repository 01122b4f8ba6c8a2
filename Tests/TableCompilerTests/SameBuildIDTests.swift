import ELF
import Foundation
import TableCompiler
import TableStore
import TestFixtures
import Testing
import UnwindTable

/// Several files with the same build id: each gets its own rules, and a file with a false build id affects only itself.
@Suite(.timeLimit(.minutes(30))) struct SameBuildIDTests {
    private let fixture: Fixture
    private let store: TableStore

    init() throws {
        fixture = try Fixture()
        var store = TableStore(directory: fixture.directory + "/cache")
        store.settlingSeconds = -100
        self.store = store
    }

    /// A library with one function, whose CFA is the stack pointer + `offset` after its first byte. The libraries
    /// differ only in that byte of .eh_frame: build id, segments, and sections' offsets and sizes are equal.
    private func library(_ name: String, offset: Int, flags: [String] = [], sections: String = ".eh_frame") throws
        -> String
    {
        try fixture.library(
            """
            .cfi_sections \(sections)
            .text
            .cfi_startproc
            nop
            .cfi_def_cfa_offset \(offset)
            .fill 15, 1, 0x90
            .cfi_endproc
            """, named: name, flags: ["-Wl,--build-id=0xaa01"] + flags)
    }

    private func key(_ path: String, search: DebugFileSearch? = nil) throws -> TableSource.Key {
        try store.key(of: ImageInput(ELFImage(path: path), search: search))
    }

    private func compile(
        _ paths: [String], threads: Int = 1, search: DebugFileSearch? = nil, isForced: Bool = false
    ) -> TreeCompiler.Summary {
        var compiler = TreeCompiler(store: store)
        compiler.debugFiles = search
        compiler.threads = threads
        compiler.isForced = isForced
        return compiler.run(FileWalk(paths))
    }

    private static func word(_ report: FileReport) -> String {
        switch report.outcome {
        case .compiled: "compiled"
        case .current: "current"
        case .duplicate(let first, _): "duplicate of \((first as NSString).lastPathComponent)"
        default: "\(report.outcome)"
        }
    }

    /// The rules of a file's table in the store.
    private func rules(_ path: String) throws -> [String] {
        let stored = try store.current(key: key(path), options: TableOptions())
        let view = try TableVerifier.verify(stored.bytes)
        var rules: [String] = []
        view.forEachRow { _, number in if number != 0 { rules.append(view.describe(number)) } }
        withExtendedLifetime(stored) {}
        return rules
    }

    @Test func filesThatDifferInOneByteHaveEachItsOwnTable() throws {
        let paths = try [library("a.so", offset: 16), library("b.so", offset: 24)]
        for path in paths { #expect(compile([path]).reports.map(Self.word) == ["compiled"]) }
        for path in paths { #expect(compile([path]).reports.map(Self.word) == ["current"]) }
        #expect(try rules(paths[0]).last?.contains("CFA = rsp+16") == true)
        #expect(try rules(paths[1]).last?.contains("CFA = rsp+24") == true)
    }

    @Test func theSameTablesForAnyOrderAndNumberOfThreads() throws {
        let paths = try [
            library("a.so", offset: 16), library("b.so", offset: 24), library("c.so", offset: 16),
            library("d.so", offset: 24, sections: ".eh_frame, .debug_frame"),
        ]
        var seen: Set<[String: [UInt8]]> = []
        for threads in [1, 2, 4] {
            for order in [paths, paths.reversed()] {
                let words = Dictionary(
                    uniqueKeysWithValues: compile(order, threads: threads).reports.map {
                        (($0.path as NSString).lastPathComponent, Self.word($0))
                    })
                let (first, second) = order == paths ? ("a.so", "c.so") : ("c.so", "a.so")
                #expect(
                    words == [
                        first: "compiled", second: "duplicate of \(first)", "b.so": "compiled", "d.so": "compiled",
                    ])
                var tables: [String: [UInt8]] = [:]
                for path in paths { tables[path] = try contents(store.path(of: key(path))) }
                seen.insert(tables)
                try FileManager.default.removeItem(atPath: store.directory)
            }
        }
        #expect(seen.count == 1)
    }

    /// Stripping changes the table only if it removes call frame information.
    @Test func strippedFileHasTheSameTableIfItHasTheSameRules() throws {
        let whole = try library("whole.so", offset: 16, flags: ["-g"])
        try run("objcopy", "--strip-all", whole, fixture.directory + "/stripped.so")
        #expect(try contents(whole).count > contents(fixture.directory + "/stripped.so").count)
        #expect(
            compile([whole, fixture.directory + "/stripped.so"]).reports.map(Self.word) == [
                "compiled", "duplicate of whole.so",
            ])
        let debugged = try library("debugged.so", offset: 16, sections: ".debug_frame")
        try run("objcopy", "--strip-all", debugged, fixture.directory + "/less.so")
        #expect(try key(debugged) != key(fixture.directory + "/less.so"))
    }

    @Test func notesNameTheFileThatHasTheTable() throws {
        let bad = ".cfi_escape 0x3f\n"
        var paths: [String] = []
        for name in ["a.so", "b.so"] {
            paths.append(
                try fixture.library(
                    ".text\n.cfi_startproc\n\(bad).fill 16, 1, 0x90\n.cfi_endproc", named: name,
                    flags: ["-Wl,--build-id=0xaa01"]))
        }
        // The larger file is processed first, but the first file of the walk is reported as having the table.
        let file = try #require(fopen(paths[1], "a"))
        fputs("more", file)
        fclose(file)
        let reports = compile(paths).reports
        #expect(reports.map(Self.word) == ["compiled", "duplicate of a.so"])
        #expect(reports[0].notes.count == 1 && reports[0].notes[0].hasPrefix(paths[0] + ":"))
        #expect(reports[1].notes.isEmpty)
        // The same if the digests are remembered, so that the first file's call frame sections aren't read.
        try FileManager.default.removeItem(atPath: store.directory + "/.build-id")
        let later = compile(paths).reports
        #expect(later.map(\.notes) == reports.map(\.notes))
    }

    /// Which file's table is made first depends on chance or size, but errors in other sections are each file's own.
    @Test(arguments: [0, 1], [false, true])
    func debugFileThatIsRejectedIsNotedOfItsOwnFile(larger: Int, isForced: Bool) throws {
        let whole = try library("whole.so", offset: 16)
        let debug = fixture.directory + "/one/x.debug"
        for name in ["one", "two"] { try fixture.write([], to: "\(name)/x") }
        try run("objcopy", "--only-keep-debug", whole, debug)
        try run("objcopy", "--add-gnu-debuglink=\(debug)", whole)
        try fixture.write([0x7f, 0x45, 0x4c, 0x46], to: "one/x.debug")
        var paths: [String] = []
        for (index, name) in ["one", "two"].enumerated() {
            let bytes = try contents(whole) + [UInt8](repeating: 0, count: index == larger ? 100 : 0)
            paths.append(try fixture.write(bytes, to: "\(name)/a.so"))
        }
        let search = DebugFileSearch(directories: [])
        for order in [paths, paths.reversed()] {
            for threads in [1, 2] {
                let reports = compile(order, threads: threads, search: search, isForced: isForced).reports
                for report in reports {
                    let isOne = report.path == paths[0]
                    #expect(report.notes.count == (isOne ? 1 : 0), "\(report.path): \(report.notes)")
                    #expect(report.notes.allSatisfy { $0.contains(debug) })
                }
                try FileManager.default.removeItem(atPath: store.directory)
            }
        }
    }

    // MARK: Files that others can write

    @Test(
        arguments: [
            (0, 0o755, 0, 0, false), (0, 0o755, 0, 1000, false), (1000, 0o755, 0, 1000, false),
            (1000, 0o755, 0, 0, true),
            (1000, 0o755, 0, 1001, true), (0, 0o775, 0, 0, true), (0, 0o757, 0, 0, true), (0, 0o555, 2, 0, true),
            (0, 0o555, 0x1001, 0, false),
        ] as [(uid_t, mode_t, UInt, uid_t, Bool)])
    func whoCanWrite(owner: uid_t, mode: mode_t, mountFlags: UInt, user: uid_t, others: Bool) {
        #expect(FileWriters.areOthers(owner: owner, mode: mode, mountFlags: mountFlags, user: user) == others)
    }

    @Test func fileThatOthersCanWriteHasATableOfItsOwn() throws {
        let trusted = try library("trusted.so", offset: 16)
        let lie = try library("lie.so", offset: 16)
        let other = try library("other.so", offset: 16)
        #expect(try key(lie) == key(trusted))
        for path in [lie, other] { try #require(chmod(path, 0o666) == 0) }
        let keys = try [key(trusted), key(lie), key(other)]
        #expect(Set(keys).count == 3)
        #expect(keys.allSatisfy { $0.bytes == [0xaa, 0x01] })
        // Found again without reading call frame sections, even right after a change.
        let input = ImageInput(try ELFImage(path: lie), search: nil)
        #expect(try store.key(of: input) == keys[1])
        #expect(try input.sharedKey() == keys[1])
        #expect(!input.hasReadFrames)
        // A different state, although size and modification time are the same.
        var times = [timeval(tv_sec: 1_000_000_000, tv_usec: 0), timeval(tv_sec: 1_000_000_000, tv_usec: 0)]
        try #require(utimes(lie, &times) == 0)
        #expect(try key(lie) != keys[1])
        #expect(try key(trusted) == keys[0])
    }

    @Test func whatOthersWroteIsNoDebugFileOfATrustedFile() throws {
        let whole = try library("whole.so", offset: 16, sections: ".eh_frame, .debug_frame")
        let directory = fixture.directory + "/debug/.build-id/aa"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let path = fixture.directory + "/stripped.so"
        try run("objcopy", "--only-keep-debug", whole, directory + "/01.debug")
        try run("objcopy", "--strip-all", whole, path)
        let search = DebugFileSearch(directories: [fixture.directory + "/debug"])
        let (alone, with) = try (key(path), key(path, search: search))
        #expect(alone != with)
        #expect(try CompiledImage(path, search: search).view.header.source.debugSource == .separateFile)
        try #require(chmod(directory + "/01.debug", 0o666) == 0)
        let input = ImageInput(try ELFImage(path: path), search: search)
        #expect(input.debugFile.image == nil)
        #expect(
            input.debugFile.rejected.count == 1
                && input.debugFile.rejected[0].description.contains("writable by others"))
        #expect(try input.frames().debugSource == .none)
        // A user who can write the image itself may also provide its debug file.
        try #require(chmod(path, 0o666) == 0)
        #expect(ImageInput(try ELFImage(path: path), search: search).debugFile.image != nil)
    }

    /// Checking a debug file's checksum requires reading all of it, which isn't done if the table's key is known.
    @Test func debugFileIsNotReadForAKeyThatIsKnown() throws {
        let path = try library("a.so", offset: 16, flags: ["-Wl,--build-id=none"], sections: ".eh_frame, .debug_frame")
        let debug = fixture.directory + "/a.debug"
        try run("objcopy", "--only-keep-debug", path, debug)
        try run("objcopy", "--strip-debug", path)
        try run("objcopy", "--add-gnu-debuglink=\(debug)", path)
        let search = DebugFileSearch(directories: [])
        func input() throws -> ImageInput { ImageInput(try ELFImage(path: path), search: search) }
        let first = try input()
        let key = try store.key(of: first)
        #expect(first.debugFile.isChosen && first.debugFile.image != nil)
        let again = try input()
        #expect(try store.key(of: again) == key)
        #expect(!again.debugFile.isChosen && !again.hasReadFrames)
        #expect(try again.frames().debugSource == .separateFile)
        // A changed candidate changes the state, even if it isn't the debug file.
        try fixture.write(try contents(debug) + [0], to: "a.debug")
        let other = try input()
        #expect(try store.key(of: other) != key)
        #expect(other.debugFile.image == nil && other.debugFile.rejected.count == 1)
    }

    // MARK: File systems

    @Test(
        arguments: [
            (0x6573_5546, false), (0x6969, false), (0xff53_4d42, false), (0xfe53_4d42, false), (0x0102_1997, false),
            (0x4d44, false), (0xef53, true), (0x5846_5342, true), (0x9123_683e, true), (0x0102_1994, true),
            (0x794c_7630, true),
        ] as [(UInt32, Bool)])
    func whoseWordForAStateIsTaken(magic: UInt32, isReliable: Bool) {
        #expect(FileSystemKind.hasReliableIdentities(magic) == isReliable)
    }

    /// On FUSE and network file systems, a file may be modified without a change of its state.
    @Test func stateThatNobodyCanRelyOnStandsForNothing() throws {
        let path = try library("a.so", offset: 16)
        func input() throws -> ImageInput {
            let input = ImageInput(try ELFImage(path: path), search: nil)
            input.isStateReliable = false
            return input
        }
        let expected = try key(path)
        let wrong = [UInt8](repeating: 7, count: 32)
        var remembered = 0
        let trusted = try input().sharedKey(known: { _ in wrong }, remember: { _, _ in remembered += 1 })
        #expect(trusted == expected && remembered == 0)
        try #require(chmod(path, 0o666) == 0)
        let byState = try key(path)
        let others = try input()
        #expect(try others.sharedKey() == input().sharedKey())
        #expect(try others.hasReadFrames && others.sharedKey() != byState && others.sharedKey() != expected)
    }

    @Test func imageInMemoryIsKnownByItsBytes() throws {
        let path = try library("a.so", offset: 16)
        let bytes = try contents(path)
        let input = ImageInput(try ELFImage(bytes: bytes, name: "[vdso]"), search: nil)
        #expect(input.state == nil)
        #expect(try store.key(of: input) == key(path))
    }
}

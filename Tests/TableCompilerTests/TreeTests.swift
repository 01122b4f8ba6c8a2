import CallFrameInfo
import ELF
import Foundation
import TableCompiler
import TableStore
import TestFixtures
import Testing
import UnwindTable

/// Compiling files and directories into a cache.
@Suite struct TreeTests {
    private let fixture: Fixture
    private var cache: String { fixture.directory + "/cache" }
    private var tree: String { fixture.directory + "/tree" }

    init() throws {
        fixture = try Fixture()
        try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
    }

    private static let bad = ".cfi_escape 0x3f"

    /// Makes a library in the tree, and returns its path.
    @discardableResult
    private func library(_ name: String, buildID: String? = nil, cfi: String = "") throws -> String {
        try fixture.library(
            """
            .text
            .p2align 4
            .cfi_startproc
            \(cfi)
            .fill 16, 1, 0x90
            .cfi_endproc
            """, named: "tree/\(name)", flags: ["-Wl,--build-id=\(buildID ?? "none")"])
    }

    private func compiler(_ change: (inout TreeCompiler) -> Void = { _ in }) -> TreeCompiler {
        var compiler = TreeCompiler(store: TableStore(directory: cache))
        compiler.debugFiles = nil
        change(&compiler)
        return compiler
    }

    /// The outcome of each file, by its path in the tree.
    private func run(
        _ paths: [String]? = nil, _ change: (inout TreeCompiler) -> Void = { _ in }
    ) -> [String: String] {
        let summary = compiler(change).run(FileWalk(paths ?? [tree]))
        return Dictionary(
            uniqueKeysWithValues: summary.reports.map {
                ($0.path.replacing(tree + "/", with: ""), Self.word($0.outcome))
            })
    }

    private static func word(_ outcome: FileOutcome) -> String {
        switch outcome {
        case .compiled: "compiled"
        case .current: "current"
        case .duplicate(let first, _): "duplicate of \((first as NSString).lastPathComponent)"
        case .skipped(let reason): "skipped: \(reason.name)"
        case .notELF: "not ELF"
        case .flawed: "flawed"
        case .failed: "failed"
        }
    }

    /// The files of a cache and their bytes.
    private func tables(_ directory: String) throws -> [String: [UInt8]] {
        var tables: [String: [UInt8]] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: directory) ?? .init() {
            var isDirectory: ObjCBool = false
            let path = directory + "/" + name
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue,
                !name.contains(".content-index")
            else { continue }
            tables[name] = try contents(path)
        }
        return tables
    }

    @Test func hardLinksAndDuplicateBuildIDsAreCompiledOnce() throws {
        let first = try library("a.so", buildID: "0xaa01")
        try library("b.so", buildID: "0xaa01")
        try library("c.so", buildID: "0xaa02")
        try #require(link(first, tree + "/d.so") == 0)
        let walk = FileWalk([tree])
        #expect(walk.hardLinkCount == 1)
        #expect(run() == ["a.so": "compiled", "b.so": "duplicate of a.so", "c.so": "compiled"])
        #expect(try tables(cache).count == 2)
        #expect(try tables(cache).keys.allSatisfy { $0.contains(/^\.build-id\/aa\/0[12]-[0-9a-f]{32}\.unwind$/) })
    }

    @Test func equalFilesWithoutBuildIDShareAContentKey() throws {
        let first = try library("a.so")
        try FileManager.default.copyItem(atPath: first, toPath: tree + "/b.so")
        #expect(run() == ["a.so": "compiled", "b.so": "duplicate of a.so"])
        #expect(try tables(cache).keys.allSatisfy { $0.hasPrefix(".content/") })
        #expect(run() == ["a.so": "current", "b.so": "duplicate of a.so"])
    }

    @Test func symbolicLinksInDirectoriesAreNotFollowed() throws {
        try library("a.so")
        try #require(symlink(tree, tree + "/loop") == 0)
        try #require(symlink("self", tree + "/self") == 0)
        try #require(symlink(tree + "/a.so", tree + "/b.so") == 0)
        try #require(mkfifo(tree + "/fifo", 0o600) == 0)
        let walk = FileWalk([tree])
        #expect(walk.files.map(\.path) == [tree + "/a.so"])
        #expect(walk.passedOverCount == 4)
        #expect(walk.problems.isEmpty)
        // A link that the user named is followed.
        #expect(FileWalk([tree + "/b.so"]).files.count == 1)
        #expect(FileWalk([tree + "/self"]).problems.count == 1)
        #expect(FileWalk([tree + "/fifo"]).problems.count == 1)
    }

    /// With and without a build id, the content digest of an unchanged file is remembered.
    @Test(arguments: ["0xaa01", nil]) func aSecondRunReadsNoCallFrameInformation(buildID: String?) throws {
        let path = try library("a.so", buildID: buildID)
        // Otherwise files that changed just now aren't remembered.
        let run: () -> [String: String] = { self.run { $0.store.settlingSeconds = -100 } }
        #expect(run() == ["a.so": "compiled"])
        #expect(run() == ["a.so": "current"])
        let input = ImageInput(try ELFImage(path: path), search: nil)
        let key = try TableStore(directory: cache).key(of: input)
        #expect(!input.hasReadFrames)
        #expect(try key == input.contentKey())
        // The same build id, offset and size, but different bytes.
        let section = try #require(try ELFImage(path: path).sections().first { $0.name == ".eh_frame" })
        let file = open(path, O_WRONLY)
        let garbage = [UInt8](repeating: 0xff, count: Int(section.size))
        try #require(pwrite(file, garbage, garbage.count, off_t(section.offset)) == garbage.count)
        close(file)
        #expect(run() != ["a.so": "current"])
    }

    @Test func forcedCompilesWhatIsCurrent() throws {
        try library("a.so", buildID: "0xaa01")
        #expect(run() == ["a.so": "compiled"])
        #expect(run { $0.isForced = true } == ["a.so": "compiled"])
    }

    @Test func otherOptionsAreNotCurrent() throws {
        try library("a.so", buildID: "0xaa01")
        #expect(run() == ["a.so": "compiled"])
        #expect(run { $0.options = TableOptions(keepsGaps: true) } == ["a.so": "compiled"])
        #expect(run { $0.options = TableOptions(keepsGaps: true) } == ["a.so": "current"])
    }

    @Test func strictMakesFlawsFailuresWhetherCompiledOrCurrent() throws {
        try library("good.so", buildID: "0xaa01")
        try library("bad.so", buildID: "0xaa02", cfi: Self.bad)
        #expect(run() == ["bad.so": "compiled", "good.so": "compiled"])
        #expect(run { $0.isStrict = true } == ["bad.so": "flawed", "good.so": "current"])
        #expect(run { ($0.isStrict, $0.isForced) = (true, true) } == ["bad.so": "flawed", "good.so": "compiled"])
    }

    @Test(arguments: ["flipped", "truncated", "empty", "garbage"])
    func aDamagedTableIsCompiledAgainAndNoted(damage: String) throws {
        try library("a.so", buildID: "0xaa01")
        #expect(run() == ["a.so": "compiled"])
        let name = try #require(try tables(cache).keys.first)
        let path = cache + "/" + name
        let good = try contents(path)
        var damaged = good
        switch damage {
        case "flipped": damaged[damaged.count - 1] ^= 1
        case "truncated": damaged.removeLast(16)
        case "empty": damaged = []
        default: damaged = Array("not a table".utf8)
        }
        try fixture.write(damaged, to: "cache/" + name)
        let summary = compiler().run(FileWalk([tree]))
        #expect(summary.reports.map { Self.word($0.outcome) } == ["compiled"])
        #expect(summary.reports[0].notes.contains { $0.hasPrefix("replaced a damaged table") })
        #expect(try contents(path) == good)
    }

    @Test func bytesDoNotDependOnTheNumberOfThreads() throws {
        let paths = FileWalk(["/usr/bin"]).files.map(\.path).filter {
            ("a"..."d").contains(($0 as NSString).lastPathComponent.prefix(1).lowercased())
        }
        var caches: [[String: [UInt8]]] = []
        for threads in [1, 2, 7] {
            var compiler = TreeCompiler(store: TableStore(directory: "\(cache)-\(threads)"))
            compiler.threads = threads
            let summary = compiler.run(FileWalk(paths))
            #expect(summary.reports.map(\.path) == paths)
            caches.append(try tables("\(cache)-\(threads)"))
        }
        #expect(caches[0].count > 10)
        #expect(caches[0] == caches[1])
        #expect(caches[0] == caches[2])
    }

    /// With more threads than files, several threads build one file's pages.
    @Test(arguments: ["/usr/bin/node", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/aarch64-linux-gnu/lib/libc.so.6"])
    func bytesOfOneTableDoNotDependOnTheNumberOfThreads(path: String) throws {
        guard access(path, R_OK) == 0 else { return }
        let image = try ELFImage(path: path)
        let tables = try [1, 2, 3, 16].map { threads in
            let compiler = ImageCompiler(debugFiles: nil, threads: threads)
            return Array(try compiler.compile(image).built.table)
        }
        for table in tables { #expect(table == tables[0]) }
    }

    @Test func aFileThatCannotBeReadFailsAlone() throws {
        try library("a.so", buildID: "0xaa01")
        try fixture.write([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], to: "tree/cut.so")
        try fixture.write(Array("text".utf8), to: "tree/text")
        try library("z.so", buildID: "0xaa02")
        #expect(run() == ["a.so": "compiled", "cut.so": "failed", "text": "not ELF", "z.so": "compiled"])
        // If the user named it, a file that isn't ELF is a failure.
        #expect(run([tree + "/text", tree + "/a.so"]) == ["text": "failed", "a.so": "current"])
    }

    @Test func aCacheThatCannotBeWrittenFailsEachFile() throws {
        try library("a.so", buildID: "0xaa01")
        // A file in place of the directory, which not even root can write to.
        try fixture.write([], to: "cache")
        #expect(run() == ["a.so": "failed"])
        #expect(try contents(cache) == [])
    }

    @Test func oneEntryThatCannotBeWrittenFailsItsFileAlone() throws {
        try library("a.so", buildID: "0xaa01")
        try library("b.so", buildID: "0xbb01")
        try fixture.write([], to: "cache/.build-id/aa")
        #expect(run() == ["a.so": "failed", "b.so": "compiled"])
    }

    @Test func aMissingPathIsAProblem() throws {
        let walk = FileWalk([tree + "/missing", tree])
        #expect(walk.problems.map(\.path) == [tree + "/missing"])
        #expect(walk.problems[0].problem == "No such file or directory")
    }
}

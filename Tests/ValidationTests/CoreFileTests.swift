import ELF
import Foundation
import TableStore
import TestFixtures
import Testing
import Validation

/// Truncated and changed core dumps, and files that don't belong to the core dump.
@Suite(.enabled(if: CoreProgram.isForThisMachine, "the programs are for x86-64"))
struct CoreFileTests {
    /// The bytes of a core dump with one thread.
    private func core() throws -> (bytes: [UInt8], dumps: CoreDumps) {
        let dumps = try CoreDumps(of: .cRecursion)
        return (try contents(dumps.core("stop_here")), dumps)
    }

    private func validation(
        _ bytes: [UInt8], _ dumps: CoreDumps, _ search: ModuleSearch = ModuleSearch()
    ) throws -> CoreValidation {
        let path = "\(dumps.directory)/changed-\(UInt32.random(in: 0 ... .max)).core"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        return try CoreValidation(core: path, search)
    }

    @Test func filesThatAreNoCores() throws {
        let (_, dumps) = try core()
        #expect(throws: ELFError.self) { try CoreValidation(core: dumps.executable) }
        #expect(throws: ELFError.self) { try CoreValidation(core: "/dev/null") }
        #expect(throws: ELFError.self) { try CoreValidation(core: "/nonexistent") }
        #expect(throws: ELFError.self) { try validation([], dumps) }
        #expect(throws: ELFError.self) { try validation(Array("text".utf8), dumps) }
    }

    /// If the stack is truncated, both unwinders end at the same frame.
    @Test(arguments: [0.2, 0.5, 0.9, 0.99])
    func coresThatAreCutOff(share: Double) throws {
        let (bytes, dumps) = try core()
        let cut = Array(bytes.prefix(Int(Double(bytes.count) * share)))
        do {
            for thread in try validation(cut, dumps).threads { #expect(thread.difference == nil) }
        } catch {
            // A core dump without notes has no threads.
            #expect("\(error)".contains("changed-"))
        }
    }

    /// Headers and notes with changed bytes: no crash and no out-of-bounds read. If both sides still find threads, they
    /// find the same.
    @Test func headersAndNotesWithBytesChanged() throws {
        let (bytes, dumps) = try core()
        var random = SeededGenerator(seed: 11)
        var compared = 0
        for _ in 0..<300 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                changed[Int.random(in: 0..<min(16384, bytes.count), using: &random)] =
                    [0, 0xff, UInt8.random(in: 0 ... .max, using: &random)].randomElement(using: &random)!
            }
            guard let validation = try? validation(changed, dumps) else { continue }
            compared += validation.threads.count
        }
        #expect(compared > 20)
    }

    @Test func notesThatClaimMoreThanThereIs() throws {
        let (bytes, dumps) = try core()
        // NT_FILE's name, type and count.
        let note = try #require(
            bytes.range(of: [5, 0, 0, 0]) { size in
                size + 20 <= bytes.count && Array(bytes[size + 8..<size + 12]) == Array("ELIF".utf8)
            })
        for count in [UInt64.max, 1 << 60, 1 << 32, 100_000] {
            var changed = bytes
            changed.replaceSubrange(note + 20..<note + 28, with: withUnsafeBytes(of: count.littleEndian) { Array($0) })
            // Without files there are no tables, and only the innermost frame is found.
            let validation = try validation(changed, dumps)
            #expect(
                validation.threads.allSatisfy {
                    $0.end == "no-mapping" && $0.frames.count == 1 && $0.difference == nil
                })
        }
    }

    /// The cache has the table of another build, with larger frames. The first wrong frame is reported with both rules.
    @Test func wrongTablesAreFoundByTheStacks() throws {
        let fixture = try Fixture()
        try fixture.write(
            Array(
                """
                __attribute__((noinline)) void stop_here(void) { __asm__ volatile(""); }
                __attribute__((noinline)) int descend(int n) {
                    volatile char room[SIZE];
                    room[0] = n;
                    if (n == 0) stop_here(); else descend(n - 1);
                    return room[0];
                }
                int main(void) { return descend(5); }
                """.utf8), to: "descend.c")
        func build(_ size: Int, _ name: String) -> [String] {
            ["gcc"] + CoreProgram.optimised + [
                "-DSIZE=\(size)", "-Wl,--build-id=0xabcdef0123", "-o", name, fixture.directory + "/descend.c",
            ]
        }
        let other = fixture.directory + "/other"
        try run(words: build(400, other))
        var search = ModuleSearch()
        search.store = TableStore(directory: fixture.directory + "/tables")

        let program = CoreProgram("right", build: [build(40, "right")], executable: "right", stops: [.at("stop_here")])
        let dumps = try CoreDumps(of: program)
        let right = try CoreValidation(core: dumps.core("stop_here"))
        #expect(right.threads.allSatisfy { $0.difference == nil && $0.isComplete })
        try search.store?.plant(tableOf: other, for: dumps.executable, debugFiles: search.debugFiles)
        let wrong = try #require(try CoreValidation(core: dumps.core("stop_here"), search).threads.first)
        let difference = try #require(wrong.difference)
        #expect(wrong.agreeing == 2 && difference.index == 2)
        #expect(difference.rule == "CFA = rsp+416, rbp = rbp, ra = *(CFA-8)")
        #expect(difference.referenceRow == "CFA = rsp+64, rbp = rbp, ra = *(CFA-8)")
        #expect(difference.file == dumps.executable)
        // libdw's row, evaluated on the dumped frame, gives libdwfl's next frame.
        let address = try #require(difference.reference.split(separator: ",").first?.dropFirst(3))
        #expect(difference.meaning.hasSuffix("return address \(address)"))
    }

    @Test func filesThatAreNotThoseOfTheCore() throws {
        let (bytes, dumps) = try core()
        var search = ModuleSearch()
        search.executable = "/bin/true"
        let validation = try validation(bytes, dumps, search)
        #expect(validation.problems.contains { $0.hasPrefix("/bin/true: ") && $0.contains("build id") })
        #expect(validation.threads.allSatisfy { $0.frames.count == 1 })
    }

    @Test func filesBelowASystemRoot() throws {
        let (bytes, dumps) = try core()
        var search = ModuleSearch()
        search.sysroot = dumps.directory + "/root"
        let missing = try validation(bytes, dumps, search)
        #expect(missing.problems.contains { $0.contains("/root/") && $0.contains("No such file") })

        for path in try mappedFiles(dumps) {
            let copy = dumps.directory + "/root" + path
            try FileManager.default.createDirectory(
                atPath: (copy as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            if !FileManager.default.fileExists(atPath: copy) {
                try FileManager.default.copyItem(atPath: path, toPath: copy)
            }
        }
        let found = try validation(bytes, dumps, search)
        #expect(found.problems == [])
        #expect(found.threads.allSatisfy { $0.isComplete && $0.difference == nil && $0.frames.count > 200 })
    }

    @Test func filesByBuildIDInDebugDirectories() throws {
        let (bytes, dumps) = try core()
        let directory = dumps.directory + "/debug"
        for path in try mappedFiles(dumps) {
            let buildID = try #require(try ELFImage(path: path).buildID()).map { String(format: "%02x", $0) }
            let place = "\(directory)/.build-id/\(buildID[0])"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: path, toPath: "\(place)/\(buildID[1...].joined())")
        }
        var search = ModuleSearch()
        search.sysroot = dumps.directory + "/nothing"
        search.debugFiles = DebugFileSearch(directories: [directory])
        let found = try validation(bytes, dumps, search)
        #expect(found.problems == [])
        #expect(found.threads.allSatisfy { $0.isComplete && $0.difference == nil && $0.frames.count > 200 })
    }

    /// The ELF files in the core dump's list of mapped files.
    private func mappedFiles(_ dumps: CoreDumps) throws -> [String] {
        let text = try CoreDumps.run(["eu-readelf", "--notes", dumps.core("stop_here")], in: dumps.directory)
        let paths = text.split(separator: "\n").compactMap { line in
            line.split(separator: " ").last.flatMap { $0.hasPrefix("/") ? String($0) : nil }
        }
        return Array(Set(paths)).filter { (try? ELFImage(path: $0)) != nil }
    }
}

extension [UInt8] {
    /// The first range with these bytes for which `matches` is true.
    fileprivate func range(of bytes: [UInt8], where matches: (Int) -> Bool) -> Int? {
        indices.dropLast(bytes.count).first {
            self[$0] == bytes[0] && self[$0..<$0 + bytes.count].elementsEqual(bytes) && matches($0)
        }
    }
}

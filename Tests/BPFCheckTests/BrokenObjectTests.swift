import BPFCheck
import ELF
import Foundation
import TestFixtures
import Testing

/// Objects are untrusted: malformed ones give errors.
@Suite struct BrokenObjectTests {
    @Test func fileForAnotherMachineIsRefused() throws {
        let error = #expect(throws: ELFError.self) { try BPFObject(path: "/proc/self/exe") }
        #expect(error?.description.contains("not for BPF") == true)
    }

    /// For the authors of the file, errors name section and offset.
    @Test func errorsNameSectionAndOffset() throws {
        var bytes = try BPFSource.bytes("good")
        let sections = try ELFImage(bytes: bytes, name: "good").sections()
        let types = try #require(sections.first { $0.name == ".BTF" })
        bytes[Int(types.offset)] ^= 1
        let error = #expect(throws: ELFError.self) { try BPFObject(bytes: bytes, name: "broken") }
        #expect(error?.description == "broken: .BTF+0x0: no BTF magic")
    }

    static var count: Int { getenv("CFIC_TEST_MUTATIONS").flatMap { Int(String(cString: $0)) } ?? 5000 }

    /// Changed bytes must not cause a crash or a long run time. The changes are the same in every run.
    @Test(arguments: ["good", "maps", "guarded-helper", "tail-call", "kernel-function", "recursion"])
    func changedBytesNeverCrash(name: String) throws {
        let good = try BPFSource.bytes(name)
        let sections = try ELFImage(bytes: good, name: name).sections()
        let telling = sections.filter { section in
            [".BTF", ".BTF.ext", ".symtab", ".text", "perf_event", ".maps"].contains(section.name) || section.type == 9
        }
        // Section headers are changed as often as a section, headers of BTF more often than the rest.
        let headers = good.count - 64 * sections.count..<good.count
        let places = telling.filter { $0.size > 0 }.map { Int($0.offset)..<Int($0.offset + $0.size) }
        let heads = telling.filter { $0.name.hasPrefix(".BTF") }.map { Int($0.offset)..<Int($0.offset) + 32 }
        var random = SeededGenerator(seed: 5)
        var readable = 0
        let start = ContinuousClock.now
        for _ in 0..<Self.count {
            var bytes = good
            for _ in 0..<(1 << Int.random(in: 0...4, using: &random)) {
                let range = (places + heads + [headers]).randomElement(using: &random) ?? headers
                let place = Int.random(in: range, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 2: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
                default: for next in place..<min(place + 4, bytes.count) { bytes[next] = 0xff }
                }
            }
            guard let object = try? BPFObject(bytes: bytes, name: name) else { continue }
            readable += 1
            _ = object.findings(5, 10)
            _ = object.findings(6, 12)
        }
        #expect(readable > Self.count / 20)
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func cutAnywhere() throws {
        let good = try BPFSource.bytes("good")
        for size in stride(from: 0, to: good.count, by: 37) {
            _ = try? BPFObject(bytes: Array(good.prefix(size)), name: "cut").findings(5, 10)
        }
    }
}

import ELF
import Foundation
import LinearEvaluation
import TableCompiler
import TestFixtures
import Testing
import UnwindTable

/// Small system files with changed bytes: nothing may crash, and tables must verify and equal their linear evaluation.
/// The changes are the same in every run. `CFIC_TEST_MUTATIONS` is their number per file.
@Suite struct MutationTests {
    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
    struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
            return word ^ word >> 31
        }
    }

    static let files = [
        "/usr/bin/true", "/usr/bin/env", "/usr/aarch64-linux-gnu/lib/libutil.so.1",
        "/usr/aarch64-linux-gnu/lib/libnss_files.so.2", "/usr/aarch64-linux-gnu/lib/libanl.so.1",
        "/usr/aarch64-linux-gnu/lib/libBrokenLocale.so.1",
    ]

    static var count: Int { getenv("CFIC_TEST_MUTATIONS").flatMap { Int(String(cString: $0)) } ?? 5000 }

    /// Opcodes and limits of ranges.
    private static let telling: [UInt8] = [
        0, 1, 2, 0x0a, 0x0b, 0x0c, 0x0e, 0x0f, 0x10, 0x16, 0x1d, 0x2d, 0x2e, 0x3f, 0x40, 0x41, 0x7f, 0x80, 0x90, 0xc6,
        0xff,
    ]

    @Test(arguments: files)
    func changedBytes(path: String) throws {
        guard access(path, R_OK) == 0 else { return }
        let good = try contents(path)
        let sections = try ELFImage(path: path).sections().filter { $0.name.hasPrefix(".eh_frame") }
        var places = sections.map { Int($0.offset)..<Int($0.offset + $0.size) }
        // The headers and .eh_frame's first CIE are changed more often than other bytes.
        places += [0..<64, 64..<64 + 56 * Int(good[0x38])] + places.map { $0.lowerBound..<$0.lowerBound + 24 }
        let compiler = ImageCompiler(debugFiles: nil)
        var random = Random(state: 1)
        var compiled = 0
        for turn in 0..<Self.count {
            var bytes = good
            for _ in 0..<(1 << Int.random(in: 0...5, using: &random)) {
                let place = Int.random(in: places.randomElement(using: &random) ?? 0..<1, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 2: for next in place..<min(place + 8, bytes.count) { bytes[next] = bytes[place] }
                default: bytes[place] = Self.telling.randomElement(using: &random) ?? 0
                }
            }
            if try check(bytes, compiler, "\(path), turn \(turn)") { compiled += 1 }
        }
        #expect(compiled > Self.count / 20)
    }

    /// Returns whether the image got a table.
    private func check(_ bytes: [UInt8], _ compiler: ImageCompiler, _ name: String) throws -> Bool {
        let image: ELFImage
        let result: ImageCompiler.Result
        do {
            image = try ELFImage(bytes: bytes, name: name)
            result = try compiler.compile(image)
        } catch {
            return false
        }
        let view = try TableVerifier.verify(result.built.table)
        let linear = try LinearEvaluation(image, machine: image.tableMachine(), search: nil)
        #expect(TableComparison(view, linear).differences == [], "\(name)")
        return true
    }
}

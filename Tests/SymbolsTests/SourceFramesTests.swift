import ELF
import Foundation
@testable import Symbols
import TestFixtures
import Testing

/// Inlined functions and source lines are those that addr2line finds.
@Suite struct SourceFramesTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func build(_ compiler: String, _ flags: [String]) throws -> String {
        let path = fixture.directory + "/inlined"
        try run(
            words: [compiler, "-O2", "-w", "-nostartfiles", "-Wl,-e,main,--build-id=sha1", "-o", path] + flags
                + [LiveProgram.sources + "/inlined.c"])
        return path
    }

    /// All addresses of `.text`.
    private func addresses(_ path: String) throws -> [UInt64] {
        let pattern = try Regex(#" \.text +PROGBITS +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)"#)
        let match = try #require(try pattern.firstMatch(in: try run("readelf", "-SW", path)))
        let start = try #require(match[1].substring.flatMap { UInt64($0, radix: 16) })
        let size = try #require(match[2].substring.flatMap { UInt64($0, radix: 16) })
        return Array(start..<start + size)
    }

    /// `function file:line`, innermost first, by address. Of lines that aren't known, the function alone.
    private func addr2line(_ path: String, _ addresses: [UInt64]) throws -> [UInt64: [String]] {
        let input = try fixture.write(
            Array(addresses.map { String($0, radix: 16) + "\n" }.joined().utf8), to: "addresses")
        let lines = try run("sh", "-c", "addr2line -a -i -f -e '\(path)' < '\(input)'").split(separator: "\n")
        var found: [UInt64: [String]] = [:]
        var address: UInt64 = 0, function = ""
        for line in lines {
            if line.hasPrefix("0x") {
                address = try #require(UInt64(line.dropFirst(2), radix: 16))
            } else if function.isEmpty {
                function = String(line)
            } else {
                let place = line.prefix { $0 != " " }
                found[address, default: []].append(
                    place.hasSuffix(":?") || place.hasSuffix(":0") ? function : "\(function) \(Self.name(place))")
                function = ""
            }
        }
        return found
    }

    private static func name(_ path: some StringProtocol) -> String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }

    private func text(_ frame: SourceFrames.Frame) -> String {
        (frame.symbol ?? "??") + (frame.line.map { " \(Self.name(frame.file ?? "??")):\($0)" } ?? "")
    }

    @Test(arguments: [
        ("gcc", "-gdwarf-4"), ("gcc", "-gdwarf-5"), ("clang", "-gdwarf-4"), ("aarch64-linux-gnu-gcc", "-gdwarf-4"),
        ("aarch64-linux-gnu-gcc", "-gdwarf-5"),
    ])
    func framesAreThoseOfAddr2line(compiler: String, version: String) throws {
        guard compiler == "clang" || access("/usr/bin/\(compiler)", X_OK) == 0 else { return }
        let path = try build(compiler, [version])
        let addresses = try addresses(path)
        let found = SourceFrames(of: try ELFImage(path: path), at: Set(addresses), debugFiles: nil)
        #expect(found.problem == nil)
        let expected = try addr2line(path, addresses)
        var deepest = 0
        // Addresses that no line is known of are missing, or have a function from the symbol table.
        for address in addresses where expected[address]?.contains(where: { $0.contains(":") }) ?? false {
            let frames = found.frames[address] ?? []
            #expect(frames.map(text) == expected[address], "at \(String(address, radix: 16))")
            #expect(frames.last?.isInlined == false && frames.dropLast().allSatisfy(\.isInlined))
            deepest = max(deepest, frames.count)
        }
        #expect(deepest == 3)
    }

    /// libdw reads the compressed sections of the separate debug file.
    @Test func framesAreReadFromTheDebugFile() throws {
        let path = try build("gcc", ["-g", "-gz=zlib"])
        let addresses = try addresses(path)
        let whole = SourceFrames(of: try ELFImage(path: path), at: Set(addresses), debugFiles: nil)
        let debug = fixture.directory + "/inlined.debug"
        try run("objcopy", "--only-keep-debug", path, debug)
        try run("objcopy", "--strip-all", "--add-gnu-debuglink=\(debug)", path)
        let stripped = try ELFImage(path: path)
        #expect(SourceFrames(of: stripped, at: Set(addresses), debugFiles: nil).frames.isEmpty)
        let found = SourceFrames(of: stripped, at: Set(addresses), debugFiles: DebugFileSearch(directories: []))
        #expect(found.frames == whole.frames && found.frames.count > 100 && found.problem == nil)
    }

    @Test func symbolsOfCxxAreAsTheLinkerKnowsThem() throws {
        let source = """
            namespace app { struct Box { int value; __attribute__((always_inline)) int twice() { return value * 2 + f(); }
            __attribute__((noinline)) int f() { return value; } }; }
            int main(int count, char **) { app::Box box{count}; return box.twice(); }
            """
        let path = fixture.directory + "/box"
        try fixture.write(Array(source.utf8), to: "box.cpp")
        try run("g++", "-g", "-O2", "-o", path, path + ".cpp")
        let addresses = try addresses(path)
        let found = SourceFrames(of: try ELFImage(path: path), at: Set(addresses), debugFiles: nil)
        let inlined = Set(found.frames.values.joined().filter(\.isInlined).map(\.symbol))
        #expect(inlined == ["_ZN3app3Box5twiceEv"])
    }

    // MARK: Broken DWARF

    /// Whatever the bytes are, what is found has the form that it should have, and nothing else happens.
    @Test func brokenDWARFDoesNoHarm() throws {
        let path = try build("gcc", ["-g"])
        let addresses = Set(try addresses(path))
        let bytes = try contents(path)
        let sections = try run("readelf", "-SW", path)
            .matches(of: #/ \.debug_\S+ +PROGBITS +[0-9a-f]+ (?<offset>[0-9a-f]+) (?<size>[0-9a-f]+)/#)
            .map { (Int($0.offset, radix: 16)!, Int($0.size, radix: 16)!) }
        try #require(sections.count >= 4)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<100 {
            var broken = bytes
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                let (offset, size) = sections.randomElement(using: &random)!
                broken[offset + Int.random(in: 0..<size, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let found = SourceFrames(
                of: try ELFImage(path: try fixture.write(broken, to: "broken")), at: addresses, debugFiles: nil)
            #expect(found.frames.keys.allSatisfy(addresses.contains))
            #expect(found.frames.values.allSatisfy { !$0.isEmpty && !$0.last!.isInlined })
        }
    }

    /// A list of a million ranges that each of a million functions has: 10^12 in all.
    @Test func workIsLimited() throws {
        let path = try fixture.object(
            """
            .text
            f: ret
            .section .debug_abbrev
            .uleb128 1, 0x11
            .byte 1
            .uleb128 0x55, 0x17
            .byte 0, 0
            .uleb128 2, 0x2e
            .byte 0
            .uleb128 0x55, 0x17
            .byte 0, 0, 0
            .section .debug_info
            .long end - start
            start:
            .short 4
            .long 0
            .byte 8
            .uleb128 1
            .long 0
            .rept 1000000
            .uleb128 2
            .long 0
            .endr
            .byte 0
            end:
            .section .debug_ranges
            .rept 1000000
            .quad 16, 17
            .endr
            .quad 0, 32
            .quad 0, 0
            """)
        let found = SourceFrames(of: try ELFImage(path: path), at: [20], debugFiles: nil)
        #expect(found.frames.isEmpty && found.problem?.contains("missing at 1 of 1 addresses") == true)
    }

    @Test func sectionThatClaimsToUnpackTo64GiBIsNotRead() throws {
        let path = try build("gcc", ["-g", "-gz=zlib"])
        let text = try run("readelf", "-SW", path)
        let match = try #require(try Regex(#" \.debug_info +PROGBITS +[0-9a-f]+ ([0-9a-f]+)"#).firstMatch(in: text))
        let offset = try #require(match[1].substring.flatMap { Int($0, radix: 16) })
        var bytes = try contents(path)
        // ch_size of Elf64_Chdr.
        bytes.replaceSubrange(offset + 8..<offset + 16, with: [0, 0, 0, 0, 16, 0, 0, 0])
        let broken = try ELFImage(path: try fixture.write(bytes, to: "broken"))
        #expect(SourceFrames(of: broken, at: Set(try addresses(path)), debugFiles: nil).frames.isEmpty)
    }
}

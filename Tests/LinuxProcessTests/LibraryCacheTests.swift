import Files
import Glibc
@testable import LinuxProcess
import TestFixtures
import Testing

/// ld.so's cache, made by hand and by ldconfig.
struct LibraryCacheTests {
    private struct Entry {
        var name: String
        var path: String
        var processors: UInt64 = 0
    }

    private func word(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value)) { Array($0) } }

    /// dl-cache.h: `struct cache_file_new`, its entries, the strings.
    private func cache(_ entries: [Entry], statedCount: Int? = nil) -> [UInt8] {
        var strings: [UInt8] = []
        var records: [UInt8] = []
        let base = 48 + entries.count * 24
        func add(_ string: String) -> [UInt8] {
            defer { strings += Array(string.utf8) + [0] }
            return word(base + strings.count)
        }
        for entry in entries {
            records += word(0x303) + add(entry.name) + add(entry.path) + word(0)
            records += withUnsafeBytes(of: entry.processors) { Array($0) }
        }
        let header =
            Array("glibc-ld.so.cache1.1".utf8) + word(statedCount ?? entries.count) + word(strings.count)
            + Array(repeating: 0, count: 20)
        return header + records + strings
    }

    private let entries = [
        Entry(name: "libz.so.1", path: "/usr/lib/libz.so.1"), Entry(name: "libz.so", path: "/usr/lib/libz.so"),
        Entry(name: "liba.so", path: "/fast/liba.so", processors: 1 << 62),
        Entry(name: "liba.so", path: "/lib/liba.so"),
        Entry(name: "liba.so", path: "/lib32/liba.so"),
    ]

    @Test func libraryIsFoundByItsWholeName() {
        let cache = LibraryCache(bytes: cache(entries))
        #expect(
            cache.paths(of: "libz.so.1") == ["/usr/lib/libz.so.1"] && cache.paths(of: "libz.so") == ["/usr/lib/libz.so"]
        )
        #expect(cache.paths(of: "libz") == [] && cache.paths(of: "") == [] && cache.paths(of: "ibz.so.1") == [])
    }

    @Test func thoseOfCertainProcessorsAreLeftOut() {
        #expect(LibraryCache(bytes: cache(entries)).paths(of: "liba.so") == ["/lib/liba.so", "/lib32/liba.so"])
    }

    /// As ldconfig wrote it before glibc 2.32.
    @Test func newerFormatIsFoundBehindTheOlder() {
        let old = Array("ld.so-1.7.0\0".utf8) + word(1) + Array(repeating: 0, count: 12 + 4)
        #expect(old.count == 32)
        #expect(LibraryCache(bytes: old + cache(entries)).paths(of: "libz.so") == ["/usr/lib/libz.so"])
        #expect(LibraryCache(bytes: old).paths(of: "libz.so") == [])
    }

    /// Whatever is cut off or changed, only strings of the file are returned.
    @Test func brokenCacheIsHarmless() {
        let whole = cache(entries)
        for count in whole.indices { _ = LibraryCache(bytes: Array(whole[..<count])).paths(of: "liba.so") }
        for offset in whole.indices {
            var broken = whole
            broken[offset] = 0xff
            for path in LibraryCache(bytes: broken).paths(of: "liba.so") { #expect(path.utf8.count < whole.count) }
        }
        #expect(LibraryCache(bytes: cache(entries, statedCount: Int(UInt32.max))).paths(of: "libz.so.1").count == 1)
        let old = Array("ld.so-1.7.0\0".utf8) + word(Int(UInt32.max))
        #expect(LibraryCache(bytes: old).paths(of: "liba.so") == [])
    }

    @Test func fileThatCannotBeReadIsEmpty() throws {
        let fixture = try Fixture()
        let fifo = fixture.directory + "/fifo"
        mkfifo(fifo, 0o600)
        for path in [fixture.directory, fixture.directory + "/missing", fifo] {
            #expect(LibraryCache(path: path).paths(of: "liba.so") == [])
        }
        let path = try fixture.write(cache(entries), to: "cache")
        #expect(LibraryCache(path: path).paths(of: "libz.so") == ["/usr/lib/libz.so"])
    }
}

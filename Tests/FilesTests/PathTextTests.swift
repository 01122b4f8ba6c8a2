import Files
import Glibc
import Testing

@Suite struct PathTextTests {
    @Test(arguments: [
        "/usr/bin/x", "", "ä€𝄞", "/t\u{fffd}", "\u{100000}\u{10feff}",
    ])
    func textIsItself(_ text: String) {
        #expect(String(path: text.utf8) == text)
        #expect(text.pathBytes == Array(text.utf8))
        #expect(text.readable == text)
    }

    /// Latin-1, truncated and overlong UTF-8, a surrogate, and the scalars that represent bytes.
    @Test(
        arguments: [
            ([0x61, 0xe4, 0x62], "a\\xe4b"), ([0xff], "\\xff"), ([0xc3], "\\xc3"), ([0xe2, 0x82], "\\xe2\\x82"),
            ([0xc0, 0xaf], "\\xc0\\xaf"), ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"), ([0x80, 0xc3, 0xa4], "\\x80ä"),
            ([0xf4, 0x8f, 0xbf, 0xbf], "\\xf4\\x8f\\xbf\\xbf"), ([0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"),
            ([0xe2, 0x82, 0xac, 0xf0, 0x9d, 0x84], "€\\xf0\\x9d\\x84"),
        ] as [([UInt8], String)])
    func bytesAreKept(_ bytes: [UInt8], _ readable: String) {
        let text = String(path: bytes)
        #expect(text.pathBytes == bytes)
        #expect(text.readable == readable)
        #expect(text.withPath { strlen($0) } == bytes.count)
        #expect(text.withPath { Array(UnsafeRawBufferPointer(start: $0, count: bytes.count)) } == bytes)
        // A second time, and as part of a longer path.
        #expect(String(path: Array("/a/".utf8) + text.pathBytes + Array("/b".utf8)) == "/a/" + text + "/b")
    }

    @Test func pathEndsAtTheFirstZero() {
        for bytes: [UInt8] in [[0x61, 0xff], [0x61, 0xff, 0], [0x61, 0xff, 0, 0x62, 0]] {
            #expect(String(path: bytes).pathBytes == [0x61, 0xff])
            #expect(bytes.withUnsafeBytes { String(path: $0) }.pathBytes == [0x61, 0xff])
            #expect(String(path: bytes.lazy.map { $0 }).pathBytes == [0x61, 0xff])
        }
        #expect(String(path: UnsafeRawBufferPointer(start: nil, count: 0)) == "")
        #expect(String(path: [0]) == "")
    }

    @Test func noTwoPathsHaveOneString() {
        // Compare bytes, because strings are equal if they are canonically equivalent, such as U+0340 and U+0300.
        var strings: Set<[UInt8]> = []
        for first in UInt8(1)...255 {
            for second in UInt8(1)...255 { strings.insert(Array(String(path: [first, second]).utf8)) }
        }
        #expect(strings.count == 255 * 255)
    }

    @Test func aPathEndsAtZero() {
        #expect(String(path: [0x61, 0, 0x62]) == "a")
    }
}

@Suite struct DirectoryTests {
    @Test func namesOfAnyBytesAndLength() throws {
        var template = Array("/tmp/cfic-files-test.XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let names = ["plain", ".hidden", String(path: [0x61, 0xff]), String(repeating: "n", count: 255)]
        defer {
            for name in names { _ = "\(directory)/\(name)".withPath { unlink($0) } }
            rmdir(directory)
        }
        for name in names {
            let descriptor = "\(directory)/\(name)".withPath { open($0, O_CREAT | O_WRONLY, 0o600) }
            try #require(descriptor >= 0)
            close(descriptor)
        }
        #expect(try Set(Directory.names(in: directory)) == Set(names))
        #expect(try Directory.names(in: directory, limit: 2).count == 2)
        do throws(Directory.Failure) {
            _ = try Directory.names(in: directory + "/none")
            Issue.record("there is no such directory")
        } catch {
            #expect(error.errno == ENOENT)
        }
    }
}

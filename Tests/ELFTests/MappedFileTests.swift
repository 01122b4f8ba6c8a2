import ELF
import Glibc
import Testing

/// Serialised, because one test uses up all the mappings that a process can have, so that sections are read instead.
@Suite(.serialized)
struct MappedFileTests {
    /// Large sections are mapped. Bytes after the file's new end read as zeros, and an error is reported.
    @Test func fileThatShrinksWhileItIsMappedIsAnErrorAndNoSignal() throws {
        let directory = try TemporaryDirectory()
        let bytes = ELFBuilder(sections: [.init(name: ".text", bytes: Array(repeating: 1, count: 1_000_000))]).bytes
        let path = try directory.write(bytes, to: "a.so")
        let image = try ELFImage(path: path)
        let text = try image.bytes(of: image.sections()[1])
        #expect(text.allSatisfy { $0 == 1 })
        try image.checkIsWhole()
        try #require(truncate(path, 500_000) == 0)
        #expect(text[0] == 1)
        #expect(text[999_999] == 0)
        #expect(elfError { try image.checkIsWhole() }?.isMalformed == true)
    }

    @Test func asManyMappingsAsAreWantedAreThereOrReadInstead() throws {
        let directory = try TemporaryDirectory()
        let bytes = ELFBuilder(sections: [.init(name: ".text", bytes: Array(repeating: 7, count: 300_000))]).bytes
        let path = try directory.write(bytes, to: "a.so")
        let images = try (0..<80).map { _ in try ELFImage(path: path) }
        let sections = try images.map { try $0.bytes(of: $0.sections()[1]) }
        // After the last: one that could not be mapped must not take another one's mapping with it.
        for section in sections { #expect(section.allSatisfy { $0 == 7 }) }
        for image in images { try image.checkIsWhole() }
    }

    @Test func mappedBytesStayWhenTheFileIsRemoved() throws {
        let directory = try TemporaryDirectory()
        let bytes = ELFBuilder(sections: [.init(name: ".text", bytes: Array(repeating: 7, count: 300_000))]).bytes
        let path = try directory.write(bytes, to: "a.so")
        let image = try ELFImage(path: path)
        try #require(unlink(path) == 0)
        #expect(try image.contents(of: ".text").allSatisfy { $0 == 7 })
        try image.checkIsWhole()
    }
}

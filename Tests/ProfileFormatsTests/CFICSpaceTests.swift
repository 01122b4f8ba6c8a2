@testable import ProfileFormats
import Testing

/// Address spaces in .cfic files, by docs/profile-format.md.
@Suite struct CFICSpaceTests {
    /// The columns of two tasks' address spaces, of which there are two, and of their mappings: the file /a at page 16, and the
    /// same with the file /b three pages behind.
    private struct Columns {
        var tasks: [UInt64] = [1, 1]
        var counts: [UInt64] = [1, 2]
        var places: [UInt64] = [0, 1, 0]
        var others: [UInt64] = []
        var modules: [UInt64] = [0, 1]
        var starts: [UInt64] = [0x1000, 0x40_0000]
        var sizes: [UInt64] = [0x2000, 0x1000]
        var offsets: [UInt64] = [0, 0x40_0000 << 1]
        var pages: [UInt64] = [32, 0, 6]

        /// A file's contents.
        var contents: [UInt8] {
            var numbers = NumberWriter()
            // Facts; names; modules.
            for _ in 0..<4 { numbers.number(0) }
            numbers.double(1)
            numbers.number(0)
            numbers.text("")
            numbers.number(3)
            for name in ["", "/a", "/b"] { numbers.text(name) }
            for number in [2, 1, 0, 2, 0] { numbers.number(number) }
            // Two stacks without nodes; two tasks, of processes 5 and 6.
            for number in [2, 0, 0, 0, 0] + [0, 0, 10, 2, 0, 0, 0, 0] { numbers.number(number) }
            for column in [tasks, counts, places, others, modules, starts, sizes, offsets, pages] {
                for number in column { numbers.number(number) }
            }
            // The ends of stacks, their outcomes and samples; no times.
            for number in [0, 0, 0, 0, 1, 1, 0] { numbers.number(number) }
            return numbers.bytes
        }
    }

    /// Reads a file; nil if it is read, and otherwise why not.
    private func problem(_ change: (inout Columns) -> Void) throws -> String? {
        var columns = Columns()
        change(&columns)
        do throws(ProfileFileError) {
            _ = try read(columns)
            return nil
        } catch { return error.problem }
    }

    private func read(_ columns: Columns) throws(ProfileFileError) -> NamedProfile {
        try ProfileReader.read(Self.file(columns.contents), path: "a.cfic")
    }

    private static func file(_ contents: [UInt8]) -> [UInt8] {
        CFICFile.header + ((try? XZ.compressed(contents, .numbers)) ?? [])
    }

    private func written(_ profile: NamedProfile) throws -> [UInt8] {
        var output = Bytes()
        try CFICFormat().write(profile, to: &output)
        var reader = try NumberReader(output.bytes), contents: [UInt8] = []
        while let byte = try? reader.byte() { contents.append(byte) }
        return contents
    }

    @Test func mappingsAreReadAsTheyAreDefined() throws {
        let profile = try read(Columns())
        #expect(
            profile.pieces == [
                .init(module: 0, start: 0x1000, size: 0x2000, offset: 0x1000),
                .init(module: 1, start: 0x40_0000, size: 0x1000, offset: 0),
            ])
        let first = NamedProfile.Mapping(page: 16, piece: 0)
        #expect(profile.spaces == [[], [first], [first, .init(page: 19, piece: 1)]])
        #expect(profile.stacks.map(\.stack.space) == [1, 2] && profile.stacks.map(\.stack.process) == [5, 6])
        #expect(try written(profile) == Columns().contents)
    }

    @Test func distancesAreRemembered() throws {
        // Another process with both files elsewhere, but as far apart: its last mapping takes a 0.
        var columns = Columns()
        (columns.counts, columns.places) = ([2, 2], [0, 0, 1, 1])
        columns.pages = [32, 6, 2 << 20, 0]
        let profile = try read(columns)
        #expect(profile.spaces[2].map(\.page) == [16 + 1 << 20, 19 + 1 << 20])
        #expect(try written(profile) == columns.contents)
    }

    @Test func listOfMappingsIsThereOnce() throws {
        var columns = Columns()
        (columns.tasks, columns.counts, columns.places) = ([1, 2], [2], [0, 0])
        columns.pages = [32, 6]
        let profile = try read(columns)
        #expect(profile.stacks.map(\.stack.space) == [1, 1] && profile.spaces.count == 2)
        #expect(try written(profile) == columns.contents)
        columns.tasks = [0, 1]
        #expect(try read(columns).stacks.map(\.stack.space) == [0, 1])
    }

    /// What no stack needs isn't written.
    @Test func onlyWhatIsNeededIsWritten() throws {
        var made = MadeProfile()
        let pieces = ["/a", "/b"].map { NamedProfile.Piece(module: made.module($0), start: 0, size: 1, offset: 0) }
        _ = made.space([(pieces[0], 0)])
        made.add([], process: 5, space: made.space([(pieces[1], 0x1000)]))
        var output = Bytes()
        try CFICFormat().write(made.profile, to: &output)
        let read = try ProfileReader.read(output.bytes, path: "")
        #expect(read.pieces == [pieces[1]] && read.spaces == [[], [.init(page: 1, piece: 0)]])
    }

    @Test func mappingsMayFollowEachOther() throws {
        #expect(try problem { $0.pages = [32, 0, 4] } == nil)
    }

    /// Each case is wrong in one number, and the name of what is wrong is in its message.
    @Test func brokenAddressSpacesAreRefused() throws {
        #expect(try problem { _ in } == nil)
        let cases: [(expected: String, change: (inout Columns) -> Void)] = [
            ("address space 2 is out of bounds", { $0.tasks = [2, 1] }),
            ("address space 3 is out of bounds", { $0.tasks = [1, 3] }),
            ("address space 18446744073709551615 is out of bounds", { $0.tasks = [1, .max] }),
            ("number of mappings 4294967295 is out of bounds", { $0.counts = [1 << 32 - 1, 1] }),
            ("number of mappings 4294967294 is out of bounds", { $0.counts = [1, 1 << 32 - 2] }),
            ("number of mappings 18446744073709551615 is out of bounds", { $0.counts = [.max, 1] }),
            ("an address space is empty, or there twice", { ($0.counts, $0.places) = ([0, 3], [0, 0, 2]) }),
            (
                "an address space is empty, or there twice",
                {
                    ($0.counts, $0.places, $0.pages) = ([1, 1], [0, 1], [32, 0])
                    ($0.modules, $0.starts, $0.sizes, $0.offsets) = ([0], [0x1000], [0x2000], [0])
                }
            ),
            ("a piece's place 18 is out of bounds", { $0.places = [0, 18, 0] }),
            ("a piece is out of bounds", { $0.places = [0, 1, 1] }),
            ("a piece is out of bounds", { ($0.places, $0.others) = ([0, 17, 0], [1]) }),
            ("a piece's place 4294967296 is out of bounds", { ($0.places, $0.others) = ([0, 17, 0], [1 << 32]) }),
            ("module 2 is out of bounds", { $0.modules = [0, 2] }),
            ("a piece's size is out of bounds", { $0.sizes = [0, 0x1000] }),
            ("a piece's size is out of bounds", { $0.sizes = [.max - 0xfff, 0x1000] }),
            (
                "a piece is there twice",
                { ($0.modules, $0.starts, $0.sizes, $0.offsets) = ([0, 0], [8, 8], [8, 8], [0, 0]) }
            ),
            ("mappings overlap, or are not in order", { $0.pages = [32, 0, 1] }),
            ("mappings overlap, or are not in order", { $0.pages = [32, 0, 0] }),
            ("mappings overlap, or are not in order", { $0.pages = [32, 0, 2] }),
            ("a mapping's address is out of bounds", { $0.pages = [1, 0, 0] }),
            ("a mapping's address is out of bounds", { $0.pages = [(1 << 52 - 2) << 1, 0, 4] }),
            (
                "a mapping's address is out of bounds",
                { ($0.pages, $0.sizes) = ([(1 << 52 - 4) << 1, 0, 4], [0x2000, 0x2000]) }
            ),
        ]
        for (expected, change) in cases {
            let problem = try problem(change)
            #expect(problem?.hasPrefix(expected) == true, "\(problem as Any) instead of \(expected)")
        }
    }

    /// The last page that a piece fits in is right, so the case above is at the edge.
    @Test func mappingMayEndWhereAddressesDo() throws {
        #expect(try problem { ($0.pages, $0.sizes) = ([(1 << 52 - 4) << 1, 0, 4], [0x2000, 0x1fff]) } == nil)
    }

    @Test func anyByteOfAddressSpacesMayBeWrong() throws {
        let contents = Columns().contents
        var refused = 0
        for index in contents.indices {
            for value in [0, 1, 2, 0x7f, 0x80, 0xff, contents[index] &+ 1] as [UInt8] {
                var changed = contents
                changed[index] = value
                do throws(ProfileFileError) {
                    let profile = try ProfileReader.read(Self.file(changed), path: "")
                    // What is read can be written.
                    var output = Bytes()
                    #expect(throws: Never.self) {
                        try CFICFormat().write(profile, to: &output)
                        try PprofFormat().write(profile, to: &output)
                    }
                } catch { refused += 1 }
            }
        }
        #expect(refused > contents.count)
    }

    /// Lists need something in the file for each element: no memory is taken before.
    @Test func countsOfMappingsAreNotTrusted() throws {
        var columns = Columns()
        (columns.counts, columns.places) = ([1, 1 << 32 - 4], [UInt64](repeating: 0, count: 1 << 16))
        for column in [\Columns.modules, \.starts, \.sizes, \.offsets, \.pages] { columns[keyPath: column] = [] }
        let problem = try problem { $0 = columns }
        #expect(problem?.hasPrefix("the contents end too early") == true, "\(problem as Any)")
    }
}

import CallFrameInfo
import Testing

/// Compares our listings with those of `readelf`, an independent implementation.
@Suite struct ReadelfTests {
    static let files = RealFiles.slice(
        ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/aarch64-linux-gnu/lib"], count: 40, largest: 2_000_000)

    @Test(.enabled("readelf is not installed") { RealFiles.hasReadelf }, arguments: files)
    func rowsAreReadelfsLineForLine(_ file: String) throws {
        let ours = try withSections(of: file) { sections, names in
            var text = ""
            FrameListing(sections: sections, names: names).writeRows(to: &text)
            return text
        }
        let theirs = Entry.all(RealFiles.output(of: "readelf -wNF '\(file)' 2>/dev/null"))
        let own = Entry.all(ours)
        try #require(own.count == theirs.count)
        for (own, theirs) in zip(own, theirs) where own.lines != theirs.lines {
            if own.isError {
                // readelf continues after an instruction that makes the rest unknown.
                #expect(theirs.withoutWhatWeLeaveOut.starts(with: own.asReadelfShows.dropLast()))
                continue
            }
            #expect(own.asReadelfShows == theirs.withoutWhatWeLeaveOut || own.isOnlyTheCIEsRow(theirs))
        }
    }

    @Test(.enabled("readelf is not installed") { RealFiles.hasReadelf }, arguments: files)
    func entriesAreReadelfsLineForLine(_ file: String) throws {
        let ours = try withSections(of: file) { sections, names in
            var text = ""
            FrameListing(sections: sections, names: names).writeEntries(to: &text)
            return text
        }
        let theirs = RealFiles.output(of: "readelf -wNf '\(file)' 2>/dev/null")
        // Not compared in #expect, which would print megabytes.
        let isEqual = ours == theirs
        #expect(isEqual)
    }
}

/// The lines between two empty lines.
struct Entry {
    var lines: [Substring]

    static func all(_ text: String) -> [Entry] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .split(separator: "", omittingEmptySubsequences: false).map { Entry(lines: Array($0)) }
    }

    var isError: Bool { lines.last?.hasPrefix("  error: ") ?? false }

    /// The lines with `undef` as `u` and without the column `sign`, as in readelf.
    var asReadelfShows: [String] {
        var heading: Range<Int>?
        if lines.count > 1, let range = lines[1].firstRange(of: " sign ") {
            let start = lines[1].utf8.distance(from: lines[1].startIndex, to: range.lowerBound) + 1
            heading = start..<start + 6
        }
        return lines.enumerated().map { index, line in
            var text = String(line).replacing("undef ", with: "u     ")
            if index > 0, let heading {
                let start = text.utf8.index(text.startIndex, offsetBy: heading.lowerBound)
                text.removeSubrange(start..<text.utf8.index(start, offsetBy: heading.count))
            }
            return text
        }
    }

    /// The lines without rows that an advance by zero replaces, and without rows after the FDE's end.
    var withoutWhatWeLeaveOut: [String] {
        let limit = lines.first.flatMap {
            $0.firstRange(of: "..").map { UInt64(lines[0][$0.upperBound...], radix: 16) }
        }
        var kept: [String] = []
        for (index, line) in lines.enumerated() {
            if index > 1, let location = UInt64(line.prefix { $0 != " " }, radix: 16) {
                if let limit = limit ?? nil, location >= limit { continue }
                if index > 2, kept.count > 2, kept[kept.count - 1].hasPrefix(line.prefix { $0 != " " } + " ") {
                    kept.removeLast()
                }
            }
            kept.append(String(line))
        }
        return kept
    }

    /// Whether this is an FDE with only padding, for which readelf shows no rows.
    func isOnlyTheCIEsRow(_ theirs: Entry) -> Bool {
        theirs.lines.count == 1 && lines.count == 3 && lines[0] == theirs.lines[0]
    }
}

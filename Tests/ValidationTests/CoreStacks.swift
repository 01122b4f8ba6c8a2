import Foundation
import TestFixtures

/// The stacks in a core dump according to elfutils, which doesn't use tables.
struct CoreStacks {
    struct Frame {
        var pc: UInt64
        /// Empty if the file has no symbol for it.
        var function: String
        /// The file's name, without directories.
        var file: String
    }

    /// Threads in the core dump's order; the first is the stopped one. Frames from the innermost.
    var threads: [[Frame]] = []

    /// Doesn't use separate debug files, so that the result doesn't depend on what is installed.
    init(_ core: String, of dumps: CoreDumps) throws {
        let text = try CoreDumps.run(
            ["eu-stack", "--core=\(core)", "-e", dumps.executable, "--debuginfo-path=/nonexistent", "-n", "0", "-m"],
            in: dumps.directory)
        for line in text.split(separator: "\n") {
            if line.hasPrefix("TID ") { threads.append([]) }
            guard line.hasPrefix("#"), !threads.isEmpty else { continue }
            let file = line.range(of: " - ", options: .backwards)
            let words = line[..<(file?.lowerBound ?? line.endIndex)].split(separator: " ", maxSplits: 2)
            guard words.count > 1, let pc = UInt64(words[1].dropFirst(2), radix: 16) else {
                throw TestFailure("eu-stack printed: \(line)")
            }
            threads[threads.count - 1].append(
                Frame(
                    pc: pc, function: words.count > 2 ? String(words[2]) : "",
                    file: file.map { (String(line[$0.upperBound...]) as NSString).lastPathComponent } ?? ""))
        }
    }

    /// The frames of the stopped thread.
    var frames: [Frame] { threads.first ?? [] }
    var functions: [String] { frames.map(\.function) }
}

/// The core dump's list of mapped files.
struct CoreFiles {
    private var starts: [String: UInt64] = [:]
    private var mappings: [(range: Range<UInt64>, path: String)] = []

    init(_ core: String, in directory: String) throws {
        let text = try CoreDumps.run(["eu-readelf", "--notes", core], in: directory)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 4, words[3].hasPrefix("/") else { continue }
            let bounds = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard bounds.count == 2, bounds[0] < bounds[1] else { continue }
            let path = String(words[3])
            starts[path] = min(starts[path] ?? .max, bounds[0])
            mappings.append((bounds[0]..<bounds[1], path))
        }
    }

    /// The file at an address, and the address in the file itself if its first segment is at 0.
    func location(_ pc: UInt64) -> (path: String, address: UInt64)? {
        mappings.first { $0.range.contains(pc) }.map { ($0.path, pc - starts[$0.path]!) }
    }
}

extension CoreDumps {
    /// The stacks by the names of the stops.
    func stacks() throws -> [String: CoreStacks] {
        try Dictionary(uniqueKeysWithValues: cores.map { ($0.name, try CoreStacks($0.path, of: self)) })
    }

    /// readelf's CFA for the innermost frame of each core dump.
    func innermostCFAs() throws -> [String: String] {
        var files: [String: ReadelfRows] = [:]
        var cfas: [String: String] = [:]
        for core in cores {
            guard let pc = try CoreStacks(core.path, of: self).frames.first?.pc,
                let (path, address) = try CoreFiles(core.path, in: directory).location(pc)
            else { continue }
            let rows = try files[path] ?? ReadelfRows(path, in: directory)
            files[path] = rows
            cfas[core.name] = rows.cfa(at: address)
        }
        return cfas
    }
}

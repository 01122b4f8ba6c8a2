import Foundation

/// The stacks in a core as elfutils sees them, which knows nothing of tables.
struct CoreStacks {
    struct Frame {
        var pc: UInt64
        /// Empty where the file has no symbol there.
        var function: String
        /// The file's name, without directories.
        var file: String
    }

    /// Threads in the core's order, frames from the innermost.
    var threads: [[Frame]] = []

    /// No separate debug files, so that what is installed makes no difference.
    init(_ core: String, of dumps: CoreDumps) throws {
        let text = try CoreDumps.run(
            ["eu-stack", "--core=\(core)", "-e", dumps.executable, "--debuginfo-path=/nonexistent", "-n", "0"],
            in: dumps.directory)
        for line in text.split(separator: "\n") {
            if line.hasPrefix("TID ") { threads.append([]) }
            guard line.hasPrefix("#"), !threads.isEmpty else { continue }
            let parts = line.split(separator: " - ", maxSplits: 1)
            let words = parts[0].split(separator: " ", maxSplits: 2)
            guard let pc = words.dropFirst().first.flatMap({ UInt64($0.dropFirst(2), radix: 16) }) else {
                throw TestFailure("eu-stack printed: \(line)")
            }
            threads[threads.count - 1].append(Frame(
                pc: pc, function: words.count > 2 ? String(words[2]) : "",
                file: parts.count > 1 ? (String(parts[1]) as NSString).lastPathComponent : ""))
        }
    }

    /// Functions of the only, or first thread, from the innermost.
    var functions: [String] { threads.first?.map(\.function) ?? [] }
}

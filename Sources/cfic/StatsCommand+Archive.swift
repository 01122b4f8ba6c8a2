import ELF
import Files
import TableCompiler
import UnwindTable

extension StatsCommand {
    /// Whether the file starts with an archive's magic bytes.
    static func isArchive(_ path: String) throws -> Bool {
        try InputFile.open(path) { Archive.isArchive(descriptor: $0) }
    }

    /// Adds the members that are object files, each as a separate file.
    func addMembers(of path: String, to report: inout Report) throws {
        guard var archive = try Archive(path: path) else { return }
        // A thin archive may refer to a file repeatedly; each file is counted once, under its first name.
        var seen: Set<FileIdentity> = []
        while true {
            do {
                guard let member = try archive.nextMember() else { return }
                guard let image = member.image else { continue }
                if let identity = image.identity, !seen.insert(identity).inserted { continue }
                if try !addRelocatable(image, to: &report) {
                    report.skipped.append("\(image.name): not an object file for x86-64 or aarch64")
                }
            } catch {
                report.failures.append("\(error)")
            }
        }
    }

    /// Adds a relocatable file.
    ///
    /// - Returns: false if tables couldn't be made for it even when linked.
    func addRelocatable(_ image: ELFImage, to report: inout Report) throws -> Bool {
        guard image.fileType == .relocatable, image.is64Bit,
            let machine = TableMachine(rawValue: image.machine.rawValue)
        else { return false }
        report.files.append(try FileStatistics(relocatable: image, machine: machine))
        return true
    }

    static func hasCode(_ path: String) -> Bool {
        let ranges = try? ELFImage(path: path).executableRanges()
        return ranges?.isEmpty == false
    }
}

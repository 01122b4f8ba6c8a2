import Files
import Glibc

/// Finds the separate debug file of an image, in the places where GDB looks (GDB manual, "Debugging Information in
/// Separate Files").
public struct DebugFileSearch: Sendable {
    /// What came of a search.
    public struct Result {
        /// The debug file; nil if there is none. Its ``ELFImage/name`` is its path.
        public var image: ELFImage?
        /// Files that were in the right place, and why they are not it; .gnu_debuglink itself, if it is malformed.
        public var rejected: [ELFError]
    }

    /// Where debug files are, most wanted first.
    public var directories: [String]

    public init(directories: [String] = ["/usr/lib/debug"]) {
        self.directories = directories
    }

    /// Files that may be an image's debug file, most wanted first.
    public struct Candidates {
        fileprivate enum Candidate {
            /// Is in the right place, and is not it.
            case rejected(ELFError)
            /// - checksum: which CRC-32 it must have; nil of one that it is by its build id, which is the last.
            case file(ELFImage, checksum: UInt32?)
        }

        fileprivate var all: [Candidate] = []

        public init() {}

        /// Those that one of is taken, or none.
        public var images: [ELFImage] { all.compactMap { if case .file(let image, _) = $0 { image } else { nil } } }

        /// The first one that it is. Reads those of which only the checksum tells it.
        public func chosen() -> Result {
            var result = Result(image: nil, rejected: [])
            for candidate in all {
                switch candidate {
                case .rejected(let error): result.rejected.append(error)
                case .file(let image, let checksum):
                    do throws(ELFError) {
                        if let checksum { try DebugFileSearch.check(image, checksum) }
                        result.image = image
                        return result
                    } catch {
                        result.rejected.append(error)
                    }
                }
            }
            return result
        }
    }

    /// Searches by build id, `DIR/.build-id/ab/cdef….debug`; then by `.gnu_debuglink`: beside the image, in `.debug`
    /// beside it, and in `DIR` followed by its absolute directory. `path` is where the image is, after which
    /// `.gnu_debuglink` is looked for.
    ///
    /// A file is accepted if both have the same build id; or, when at least one of them has none, if its CRC-32 is the
    /// one in `.gnu_debuglink`. The image itself never is. Malformed notes are as good as no build id.
    public func find(for image: ELFImage, path: String) -> Result { candidates(for: image, path: path).chosen() }

    /// The same without the checksums, which take reading whole files: headers and notes are read.
    public func candidates(for image: ELFImage, path: String) -> Candidates {
        var candidates = Candidates()
        let buildID = (try? image.buildID()) ?? nil
        var link: (name: String, crc: UInt32)?
        do throws(ELFError) { link = try image.debugLink() } catch { candidates.all.append(.rejected(error)) }
        for candidate in buildIDPaths(buildID) + debugLinkPaths(link?.name, of: path) {
            guard candidate.withPath({ access($0, F_OK) }) == 0 else { continue }
            do throws(ELFError) {
                let debugFile = try ELFImage(path: candidate)
                // Searching /usr/lib/debug for a debug file's own debug file ends here.
                if let identity = debugFile.identity, identity == image.identity { continue }
                let checksum = try Self.checksum(debugFile, buildID: buildID, link: link?.crc)
                candidates.all.append(.file(debugFile, checksum: checksum))
                if checksum == nil { return candidates }
            } catch {
                candidates.all.append(.rejected(error))
            }
        }
        return candidates
    }

    /// Which checksum a file must have to belong to the image with this build id and this checksum in `.gnu_debuglink`;
    /// nil if it does anyway. Throws if it can't.
    private static func checksum(
        _ candidate: ELFImage, buildID: [UInt8]?, link: UInt32?
    ) throws(ELFError) -> UInt32? {
        if let buildID, let other = try candidate.buildID() {
            guard buildID == other else { throw candidate.malformed("has a different build id") }
            return nil
        }
        guard let link else { throw candidate.malformed("has no build id") }
        return link
    }

    private static func check(_ candidate: ELFImage, _ checksum: UInt32) throws(ELFError) {
        guard try candidate.source.checksum(name: candidate.name) == checksum else {
            throw candidate.malformed("its checksum is not the one in .gnu_debuglink")
        }
    }

    private func buildIDPaths(_ buildID: [UInt8]?) -> [String] {
        // One byte names the directory, the others the file; a name has 255 bytes at most.
        guard let buildID, (2...100).contains(buildID.count) else { return [] }
        let digits = Hex.text(buildID)
        return directories.map { "\($0)/.build-id/\(digits.prefix(2))/\(digits.dropFirst(2)).debug" }
    }

    private func debugLinkPaths(_ name: String?, of path: String) -> [String] {
        guard let name, let directory = absoluteDirectory(of: path) else { return [] }
        return ["\(directory)/\(name)", "\(directory)/.debug/\(name)"] + directories.map { "\($0)\(directory)/\(name)" }
    }

    /// The directory of a file without symbolic links, and without a slash at its end; nil if there is no such file.
    private func absoluteDirectory(of path: String) -> String? {
        guard let resolved = path.withPath({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        let absolute = String(path: resolved)
        return absolute.lastIndex(of: "/").map { String(absolute[..<$0]) }
    }
}

import Files
import Glibc

/// Finds the separate debug file of an image where GDB would find it (GDB manual, "Debugging Information in Separate
/// Files").
public struct DebugFileSearch: Sendable {
    /// The result of a search.
    public struct Result {
        /// The debug file; nil if there is none. Its ``ELFImage/name`` is its path.
        public var image: ELFImage?
        /// Files found at a searched path, with the reason why they don't belong to the image; also a malformed
        /// .gnu_debuglink.
        public var rejected: [ELFError]
    }

    /// The directories to search, in order of preference.
    public var directories: [String]

    /// Gets the debug file with a build id from elsewhere, for the image at a path, when none is found. Returns its path; nil
    /// if there is none.
    public var fetch: (@Sendable (_ buildID: [UInt8], _ path: String) -> String?)?

    /// A search in directories of debug files, beside the images themselves.
    ///
    /// - Parameter directories: most wanted first.
    public init(directories: [String] = ["/usr/lib/debug"]) {
        self.directories = directories
    }

    /// Files that may be an image's debug file, in order of preference.
    package struct Candidates {
        fileprivate enum Candidate {
            /// Found at a searched path, but not the image's debug file.
            case rejected(ELFError)
            /// - checksum: the CRC-32 that the file must have; nil if its build id matches. Such a file is the last
            ///   candidate.
            case file(ELFImage, checksum: UInt32?)
        }

        fileprivate var all: [Candidate] = []

        package init() {}

        /// Adds a file, if there is one.
        ///
        /// - Returns: whether its build id matches, so that no other one is needed.
        fileprivate mutating func add(_ path: String, of image: ELFImage, _ buildID: [UInt8]?, _ link: UInt32?) -> Bool
        {
            guard path.withPath({ access($0, F_OK) }) == 0 else { return false }
            do throws(ELFError) {
                let debugFile = try ELFImage(path: path)
                // The image itself: `path` may be a debug file in /usr/lib/debug.
                if let identity = debugFile.identity, identity == image.identity { return false }
                let checksum = try DebugFileSearch.checksum(debugFile, buildID: buildID, link: link)
                all.append(.file(debugFile, checksum: checksum))
                return checksum == nil
            } catch {
                all.append(.rejected(error))
                return false
            }
        }

        /// The images of the files that are still possible. One of them is chosen, or none.
        package var images: [ELFImage] { all.compactMap { if case .file(let image, _) = $0 { image } else { nil } } }

        /// The first one that belongs to the image. Reads whole files if only their checksum can tell.
        package func chosen() -> Result {
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

    /// Searches by build id, `DIR/.build-id/ab/cdef….debug`; then by `.gnu_debuglink`: in the directory of `path`, the
    /// image's path; in `.debug` below it; and in `DIR` followed by the absolute directory.
    ///
    /// A file is accepted if it has the image's build id, or, if at least one of the two has no build id, if its CRC-32
    /// is the one in `.gnu_debuglink`. The image itself is never accepted. An image whose notes are malformed counts as
    /// one without a build id.
    public func find(for image: ELFImage, path: String) -> Result { candidates(for: image, path: path).chosen() }

    /// As ``find(for:path:)``, but reads only headers and notes: the checksums, which need whole files, are left to
    /// ``Candidates/chosen()``.
    package func candidates(for image: ELFImage, path: String) -> Candidates {
        var candidates = Candidates()
        let buildID = (try? image.buildID()) ?? nil
        var link: (name: String, crc: UInt32)?
        do throws(ELFError) { link = try image.debugLink() } catch { candidates.all.append(.rejected(error)) }
        for path in buildIDPaths(buildID) + debugLinkPaths(link?.name, of: path)
        where candidates.add(path, of: image, buildID, link?.crc) { return candidates }
        if let buildID, let fetch, candidates.images.isEmpty, let path = fetch(buildID, path) {
            _ = candidates.add(path, of: image, buildID, nil)
        }
        return candidates
    }

    /// The checksum that a file must have to belong to the image with this build id and this checksum in
    /// `.gnu_debuglink`; nil if the build ids match, so that none is needed. Throws ``ELFError`` if it can't belong to
    /// the image.
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
        // The first byte names the directory, the others the file, whose name can't exceed 255 bytes.
        guard let buildID, (2...100).contains(buildID.count) else { return [] }
        let digits = Hex.text(buildID)
        return directories.map { "\($0)/.build-id/\(digits.prefix(2))/\(digits.dropFirst(2)).debug" }
    }

    private func debugLinkPaths(_ name: String?, of path: String) -> [String] {
        guard let name, let directory = absoluteDirectory(of: path) else { return [] }
        return ["\(directory)/\(name)", "\(directory)/.debug/\(name)"] + directories.map { "\($0)\(directory)/\(name)" }
    }

    /// The directory of a file, without symbolic links and trailing slash; nil if there is no such file.
    private func absoluteDirectory(of path: String) -> String? {
        guard let resolved = path.withPath({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        let absolute = String(path: resolved)
        return absolute.lastIndex(of: "/").map { String(absolute[..<$0]) }
    }
}

import ELF

/// Where the program interpreter looks for libraries, as ld.so(8) says.
struct LibrarySearch {
    /// A file that was found, and that may need others.
    struct Loaded {
        var needs: NeededLibraries
        /// What `$ORIGIN` stands for.
        var directory: String
        /// The index of the file that needed it first; nil for the program.
        var neededBy: Int?
    }

    /// The directories of `LD_LIBRARY_PATH`.
    private let listed: [String]
    private let defaults: [String]
    private let cache: LibraryCache
    private let isMusl: Bool

    /// - Parameters:
    ///   - interpreter: the path of the program interpreter.
    ///   - machine: of the program, as in names of directories: `x86_64`.
    ///   - libraryPath: the value of `LD_LIBRARY_PATH`.
    ///   - cache: glibc's.
    init(interpreter: String, machine: String, libraryPath: String?, cache: LibraryCache) {
        isMusl = interpreter.lastComponent.hasPrefix("ld-musl-")
        // An empty directory is the current one.
        listed =
            (libraryPath ?? "").isEmpty
            ? []
            : (libraryPath ?? "").split(omittingEmptySubsequences: false) { $0 == ":" || $0 == ";" }.map(String.init)
        let multiarch = "\(machine)-linux-gnu"
        // What glibc was built with: Debian's come first, because others don't have them.
        defaults =
            isMusl
            ? ["/lib", "/usr/local/lib", "/usr/lib"]
            : ["/lib/\(multiarch)", "/usr/lib/\(multiarch)", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        self.cache = cache
    }

    /// The paths at which a library may be, most wanted first.
    ///
    /// - Parameters:
    ///   - name: as in `DT_NEEDED`.
    ///   - index: the file that needs it, in `files`.
    ///   - files: those that were found so far; the program is the first.
    func paths(of name: String, neededBy index: Int, _ files: [Loaded]) -> [String] {
        let file = files[index]
        if name.contains("/") { return [name].replacing(origin: file.directory) }
        let chain = chain(from: index, files)
        if isMusl {
            // It treats DT_RUNPATH and DT_RPATH alike.
            let own = chain.flatMap { ($0.needs.runpath ?? $0.needs.rpath).replacing(origin: $0.directory) }
            return (listed + own + defaults).map { $0.path(of: name) }
        }
        let runpath = file.needs.runpath?.replacing(origin: file.directory)
        let inherited = runpath == nil ? chain.flatMap { $0.needs.rpath.replacing(origin: $0.directory) } : []
        let stated = (inherited + listed + (runpath ?? [])).map { $0.path(of: name) }
        let cached = cache.paths(of: name)
        if file.needs.skipsDefaults { return stated + cached.filter { !isDefault($0) } }
        return stated + cached + defaults.map { $0.path(of: name) }
    }

    /// A file, the one that needed it first, and so on to the program.
    private func chain(from index: Int, _ files: [Loaded]) -> [Loaded] {
        var chain: [Loaded] = []
        var next = Int?.some(index)
        // It ends: each file was found after the one that needed it.
        while let current = next {
            chain.append(files[current])
            next = files[current].neededBy
        }
        return chain
    }

    private func isDefault(_ path: String) -> Bool {
        defaults.contains(path.directoryPart)
    }
}

extension [String] {
    /// The paths with `$ORIGIN` replaced. Those with `$LIB` or `$PLATFORM`, whose values are ld.so's own, are left out.
    fileprivate func replacing(origin: String) -> [String] {
        compactMap { path in
            guard path.contains("$") else { return path }
            let path = path.replacing("${ORIGIN}", with: origin).replacing("$ORIGIN", with: origin)
            return path.contains("$") ? nil : path
        }
    }
}

extension String {
    /// The path of a file in this directory; empty is the current one.
    fileprivate func path(of name: String) -> String { isEmpty ? name : "\(self)/\(name)" }

    /// What follows the last slash.
    var lastComponent: Substring { self[(lastIndex(of: "/").map { index(after: $0) } ?? startIndex)...] }

    /// The directory of a file, as its path has it.
    var directoryPart: String { lastIndex(of: "/").map { $0 == startIndex ? "/" : String(self[..<$0]) } ?? "." }
}

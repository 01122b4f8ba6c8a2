import ELF
import Files
import Glibc

/// The files that a command will map, found before it runs and without running anything: its executable, the program
/// interpreter and the libraries that these need, directly or not. Of a script, those of its interpreter.
///
/// What can't be found is left out, and so is what only the running program decides, such as `dlopen`. Nothing depends
/// on this: a file that is missing here, or not mapped in the end, only costs time.
package struct ProgramFiles {
    /// What decides which files a command maps, besides the command.
    package struct Environment {
        /// `PATH`; nil if it isn't set.
        package var path: String?
        /// `LD_LIBRARY_PATH`
        package var libraryPath: String?
        /// `LD_PRELOAD`
        package var preload: String?
        /// ld.so's cache.
        package var cachePath = "/etc/ld.so.cache"

        package init(path: String?, libraryPath: String? = nil, preload: String? = nil) {
            (self.path, self.libraryPath, self.preload) = (path, libraryPath, preload)
        }

        /// This process's, which its children inherit.
        package static var own: Self {
            func value(_ name: String) -> String? { getenv(name).map { String(path: $0) } }
            return Self(path: value("PATH"), libraryPath: value("LD_LIBRARY_PATH"), preload: value("LD_PRELOAD"))
        }
    }

    /// Each file once, by its real path: executables first.
    package private(set) var images: [ELFImage] = []
    private var identities: Set<FileIdentity> = []
    private let environment: Environment
    private let limits: Limits
    private let deadline: ContinuousClock.Instant
    private var attempts = 0

    /// Bounds for hostile files.
    package struct Limits {
        /// The most files. A desktop program has 250.
        package var files = 512
        /// The most paths that are looked at. Each takes microseconds.
        package var paths = 16_384
        package init() {}
    }

    /// Finds the files of a command.
    ///
    /// - Parameters:
    ///   - words: the program, as execvp(3) takes it, and its arguments.
    ///   - environment: as it will be for the command. The current directory is this process's.
    ///   - deadline: what isn't found by then is left out, as on a slow file system.
    package init(
        of words: [String], _ environment: Environment = .own, until deadline: ContinuousClock.Instant,
        limits: Limits = Limits()
    ) {
        (self.environment, self.deadline, self.limits) = (environment, deadline, limits)
        if let name = words.first, let path = executable(name) { addProgram(path, depth: 0) }
    }

    // MARK: Programs

    /// The most scripts that interpret each other, as in Linux (exec_binprm).
    private static let scriptLimit = 5

    private mutating func addProgram(_ path: String, depth: Int) {
        guard depth <= Self.scriptLimit, isProgram(path), let file = Descriptor(opening: path, O_RDONLY | O_NONBLOCK)
        else { return }
        // BINPRM_BUF_SIZE
        let start = file.read(limit: 256)
        guard !start.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return addExecutable(path) }
        guard let words = Self.interpreter(in: start) else {
            // What execvp(3) does if the kernel doesn't know the format.
            if depth == 0 { addProgram("/bin/sh", depth: depth + 1) }
            return
        }
        addProgram(words[0], depth: depth + 1)
        // #!/usr/bin/env python3: it executes that.
        if words.count == 2, words[0].lastComponent == "env", let program = executable(words[1]) {
            addProgram(program, depth: depth + 1)
        }
    }

    /// The interpreter that a script names in its first bytes, and perhaps an argument; nil if it names none.
    static func interpreter(in start: [UInt8]) -> [String]? {
        guard start.starts(with: "#!".utf8) else { return nil }
        let line = start.dropFirst(2).prefix { $0 != 0x0a && $0 != 0 }
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        let words = line.split(maxSplits: 1, whereSeparator: isBlank)
        guard let path = words.first else { return nil }
        var argument = words.dropFirst().first?.drop(while: isBlank) ?? []
        while let last = argument.last, isBlank(last) { argument.removeLast() }
        return [String(path: path)] + (argument.isEmpty ? [] : [String(path: argument)])
    }

    /// The file that execvp(3) executes; nil if there is none.
    private func executable(_ name: String) -> String? {
        if name.isEmpty || name.contains("/") { return name.isEmpty ? nil : name }
        // Without PATH, what confstr(_CS_PATH) has.
        let directories = (environment.path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false)
        return directories.lazy.map { $0.isEmpty ? name : "\($0)/\(name)" }.first { isProgram($0) }
    }

    private func isProgram(_ path: String) -> Bool {
        var status = stat()
        return path.withPath { stat($0, &status) == 0 && access($0, X_OK) == 0 } && status.st_mode & S_IFMT == S_IFREG
    }

    // MARK: Libraries

    private mutating func addExecutable(_ path: String) {
        guard let program = open(path) else { return }
        add(program)
        guard let interpreter = (try? program.interpreterPath()) ?? nil else { return }
        if let image = open(interpreter) { add(image) }
        let search = LibrarySearch(
            interpreter: interpreter, machine: program.machine == .x86_64 ? "x86_64" : "\(program.machine)",
            libraryPath: environment.libraryPath, cache: LibraryCache(path: environment.cachePath))
        addLibraries(of: program, search, known: [String(interpreter.lastComponent)])
    }

    /// Adds libraries, in the order in which ld.so maps them: those of the program, then those of these.
    ///
    /// - Parameter known: names that need not be looked for.
    private mutating func addLibraries(of program: ELFImage, _ search: LibrarySearch, known: Set<String>) {
        var known = known
        var needs = needs(of: program)
        let preloaded = environment.preload?.split { $0 == " " || $0 == ":" }.map(String.init) ?? []
        needs.names = preloaded + needs.names
        // ld.so takes the program's from /proc/self/exe, and libraries' as it found them.
        var loaded = [LibrarySearch.Loaded(needs: needs, directory: program.name.directoryPart, neededBy: nil)]
        var next = 0
        while next < loaded.count {
            for name in loaded[next].needs.names where !known.contains(name) {
                for path in search.paths(of: name, neededBy: next, loaded) {
                    guard let library = open(path, for: program) else {
                        if isOver { return }
                        continue
                    }
                    known.insert(name)
                    if add(library) {
                        loaded.append(
                            .init(needs: self.needs(of: library), directory: path.directoryPart, neededBy: next))
                    }
                    break
                }
            }
            next += 1
        }
    }

    private func needs(of image: ELFImage) -> NeededLibraries {
        (try? image.neededLibraries(limit: limits.files)) ?? NeededLibraries()
    }

    private var isOver: Bool {
        images.count >= limits.files || attempts >= limits.paths || ContinuousClock.now >= deadline
    }

    /// Adds a file, unless it is there.
    @discardableResult
    private mutating func add(_ image: ELFImage) -> Bool {
        guard let identity = image.identity, identities.insert(identity).inserted else { return false }
        images.append(image)
        return true
    }

    /// Opens a file by its real path, which is also what the kernel says when it is mapped; nil if it can't be used.
    ///
    /// - Parameter program: the program that needs it, for a library: ld.so looks on if it isn't for the same machine.
    private mutating func open(_ path: String, for program: ELFImage? = nil) -> ELFImage? {
        if isOver { return nil }
        attempts += 1
        guard let real = path.withPath({ realpath($0, nil) }) else { return nil }
        defer { free(real) }
        guard let image = try? ELFImage(path: String(path: real)) else { return nil }
        guard let program else { return image }
        let isSuitable =
            image.fileType == .sharedObject && image.machine == program.machine && image.is64Bit == program.is64Bit
        return isSuitable ? image : nil
    }
}

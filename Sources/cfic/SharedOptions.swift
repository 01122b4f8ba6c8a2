import ArgumentParser
import ELF
import Glibc
import Symbols
import TableStore
import Threads
import UnwindTable

struct CacheOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The table cache. (default: $CFIC_CACHE, else $XDG_CACHE_HOME/cfic, else ~/.cache/cfic)",
            valueName: "dir"),
        completion: .directory)
    var cache: String?

    @Flag(name: .customLong("shared-cache"), help: "As root, use the cache even if other users can write to it.")
    var isShared = false

    func validate() throws {
        if cache == "" { throw ValidationError("--cache takes a directory, not an empty name.") }
    }

    func store() throws -> TableStore { try Self.store(in: cache, isShared: isShared) }

    /// - Parameter directory: nil for the default directory.
    static func store(in directory: String?, isShared: Bool) throws -> TableStore {
        do {
            var store = try directory.map(TableStore.init(directory:)) ?? TableStore()
            store.isShared = isShared
            try store.checkIsTrusted()
            return store
        } catch {
            throw Failure("\(error)")
        }
    }
}

struct DebugFileOptions: ParsableArguments {
    @Option(
        name: .customLong("debug-dir"),
        help: ArgumentHelp(
            "Search for separate debug files here instead of in /usr/lib/debug; may be repeated.", valueName: "dir"),
        completion: .directory)
    var directories: [String] = []

    @Flag(name: .customLong("no-debug-files"), help: "Don't use separate debug files.")
    var isOff = false

    var search: DebugFileSearch? {
        isOff ? nil : directories.isEmpty ? DebugFileSearch() : DebugFileSearch(directories: directories)
    }

    /// As ``search``, and then on the servers, if the user named any: for names, of which there are then more.
    func search(askingToo servers: Debuginfod?) -> DebugFileSearch? {
        guard var search else { return nil }
        if let servers { search.fetch = { servers.file($0, of: $1) } }
        return search
    }
}

struct InferenceOption: ParsableArguments {
    @Flag(
        name: .customLong("no-inference"),
        help: "Give code without call frame information no rules, even if its instructions prove some.")
    var isOff = false

    var isOn: Bool { !isOff }
}

struct DemangleOption: ParsableArguments {
    @Flag(name: .customLong("no-demangle"), help: "Print symbols as they are in the files.")
    var isOff = false

    /// The names of an image's code.
    func names(of image: ELFImage, _ debugFiles: DebugFileSearch?) -> ImageNames {
        isOff ? ImageNames(image, debugFiles: debugFiles) : .forDemangling(image, debugFiles: debugFiles)
    }

    /// A function's name, and the symbol that it was demangled from.
    struct Function {
        var name: String
        var mangledName: String?
    }

    /// The functions that symbols stand for; nil for code without a symbol.
    func functions(_ symbols: [String?]) -> [Function?] {
        var demangler = Demangler()
        let names = isOff ? [:] : demangler.names(of: symbols.compactMap { $0 })
        for problem in demangler.problems { Diagnostics.error(problem) }
        return symbols.map { symbol in
            guard let symbol else { return nil }
            if let name = names[symbol] { return Function(name: name, mangledName: symbol) }
            return Function(name: Demangler.shortened(symbol))
        }
    }
}

struct ThreadOption: ParsableArguments {
    @Option(
        name: [.customShort("j", allowingJoined: true), .customLong("jobs")],
        help: ArgumentHelp("Number of threads. (default: all cores)", valueName: "n"))
    var jobs: Int?

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("-j takes a number of at least 1.") }
    }

    var count: Int { Self.count(jobs) }

    static func count(_ jobs: Int?) -> Int { jobs ?? Threads.processorCount }
}

/// The failure for paths that contain nothing to work on. `what` is, for example, "table".
func noneFound(_ what: String, below paths: [String]) -> Failure {
    Failure("no \(what) found below \(paths.joined(separator: ", "))")
}

/// A failure with a message; cfic prints it and exits with code 1.
struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Runs a command's body. Prints a failure to standard error and exits with code 1.
func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ExitCode {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch {
        Diagnostics.error("\(error)")
        throw ExitCode(1)
    }
}

/// An address as people write it: hexadecimal, with or without 0x.
struct Address: ExpressibleByArgument {
    var value: UInt64

    init?(argument: String) {
        let digits = argument.hasPrefix("0x") || argument.hasPrefix("0X") ? argument.dropFirst(2) : argument[...]
        guard let value = UInt64(digits, radix: 16) else { return nil }
        self.value = value
    }
}

import ELF
import TableStore

/// The command lines of `cfic compile` that build systems use, parsed without the argument parser.
///
/// The parser asks the Swift runtime some 230 times whether a type conforms to a protocol, and each query searches all
/// conformances in the executable. That takes twice as many instructions as compiling a small file. Anything that isn't
/// fully understood here, mistakes included, is left to the parser.
struct UsualArguments: Equatable {
    var paths: [String] = []
    var cache: String?
    var jobs: Int?
    var isStrict = false
    var isForced = false
    var isJSON = false

    /// - Parameter arguments: the command line without the executable's name.
    init?(_ arguments: [String]) {
        guard arguments.first == "compile" else { return nil }
        var rest = arguments.dropFirst()
        while let argument = rest.popFirst() {
            switch argument {
            case "--cache":
                guard cache == nil, let directory = rest.popFirst(), !directory.isEmpty, directory.first != "-" else {
                    return nil
                }
                cache = directory
            case "-j", "--jobs":
                guard jobs == nil, let number = rest.popFirst().flatMap({ Int($0) }), number >= 1 else { return nil }
                jobs = number
            case "--strict": isStrict = true
            case "--force": isForced = true
            case "--json": isJSON = true
            default:
                guard let first = argument.first, first != "-" else { return nil }
                paths.append(argument)
            }
        }
        if paths.isEmpty { return nil }
    }

    /// - Throws: an error about the cache.
    func compilation() throws -> Compilation {
        Compilation(
            paths: paths, store: try CacheOption.store(in: cache, isShared: false), output: nil,
            threads: ThreadOption.count(jobs), isStrict: isStrict, isForced: isForced, isJSON: isJSON,
            debugFiles: DebugFileSearch())
    }
}

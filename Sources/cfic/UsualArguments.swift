import ELF
import TableStore

/// The command lines of `cfic compile` that build pipelines use, read without the argument parser.
///
/// The parser asks the Swift runtime some 230 times whether a type conforms to a protocol, each of which goes through
/// all conformances of the program: twice the instructions that compiling a small file takes. What isn't understood
/// here in all its parts, mistakes included, is left to the parser.
struct UsualArguments: Equatable {
    var paths: [String] = []
    var cache: String?
    var jobs: Int?
    var isStrict = false
    var isForced = false
    var isJSON = false

    /// - Parameter arguments: those of the program, without its name.
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

    /// - Throws: what is wrong with the cache.
    func compilation() throws -> Compilation {
        Compilation(
            paths: paths, store: try CacheOption.store(in: cache, isShared: false), output: nil,
            threads: ThreadOption.count(jobs), isStrict: isStrict, isForced: isForced, isJSON: isJSON,
            debugFiles: DebugFileSearch())
    }
}

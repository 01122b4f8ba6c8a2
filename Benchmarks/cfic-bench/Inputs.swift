import Files
import Glibc

/// A file that speed is measured on.
struct Input {
    var name: String
    var path: String
}

/// The files to measure, as far as this machine has them.
struct Inputs {
    var found: [Input] = []
    /// The files that weren't found, and where they were searched.
    var skipped: [String] = []
    /// The root of the Swift toolchain: two directories above `swift` on PATH, with links resolved.
    var toolchain: String?

    init() {
        #if arch(x86_64)
            let libraries = "/usr/lib/x86_64-linux-gnu"
        #else
            let libraries = "/usr/lib/aarch64-linux-gnu"
        #endif
        add("libLLVM", newest(startingWith: "libLLVM", in: libraries), sought: "\(libraries)/libLLVM*")
        let binaries = onPath("swift").flatMap(resolved).map(directory)
        toolchain = binaries.map { directory(directory($0)) }
        for name in ["clang", "swift-frontend"] {
            add(name, binaries.map { "\($0)/\(name)" }, sought: "\(name) beside the swift on PATH")
        }
        add("node", onPath("node"), sought: "node on PATH")
        add("libc", "\(libraries)/libc.so.6", sought: "\(libraries)/libc.so.6")
        add("bash", "/bin/bash", sought: "/bin/bash")
    }

    private mutating func add(_ name: String, _ path: String?, sought: String) {
        if let path = path.flatMap(resolved) {
            found.append(Input(name: name, path: path))
        } else {
            skipped.append(sought)
        }
    }
}

/// The path without symbolic links; nil if there is no such file.
func resolved(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
}

func directory(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
}

private func onPath(_ name: String) -> String? {
    guard let path = getenv("PATH") else { return nil }
    return String(cString: path).split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
}

/// The file whose name has the highest version.
private func newest(startingWith prefix: String, in directory: String) -> String? {
    let version = { (name: String) in name.split { !("0"..."9").contains($0) }.compactMap { Int($0) } }
    return ((try? Directory.names(in: directory)) ?? []).filter { $0.hasPrefix(prefix) && $0.contains(".so") }
        .max { version($0).lexicographicallyPrecedes(version($1)) }.map { "\(directory)/\($0)" }
}

import Foundation

/// The Swift toolchain that the tests are built with, and its clang and lld. PATH may have an older clang first.
public enum Toolchain {
    /// The directory of its executables: found from the runtime library that this process has mapped, or from `swift`.
    public static let programs: String = {
        let places = [runtime.map { "\($0)/../../../bin" }, swift].compactMap { $0 }
        return places.first { access("\($0)/clang", X_OK) == 0 } ?? "/nonexistent"
    }()

    /// Environment variables for the tests' processes: PATH with the toolchain's executables first.
    public static let environment = ["PATH": path(before: ProcessInfo.processInfo.environment["PATH"])]

    static func path(before other: String?) -> String { other.map { "\(programs):\($0)" } ?? programs }

    /// TOOLCHAIN/usr/lib/swift/linux, where libswiftCore.so is.
    private static var runtime: String? {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        let line = maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") }
        return line.flatMap { line in line.firstIndex(of: "/").flatMap { directory(of: String(line[$0...])) } }
    }

    /// TOOLCHAIN/usr/bin, of the `swift` on PATH.
    private static var swift: String? {
        let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return directories.map { String($0) + "/swift" }.first { access($0, X_OK) == 0 }.flatMap { directory(of: $0) }
    }

    private static func directory(of path: String) -> String? {
        realpath(path, nil).map { real in
            defer { free(real) }
            return (String(cString: real) as NSString).deletingLastPathComponent
        }
    }
}

import Glibc

/// What the terminal takes, as the environment says.
enum Terminal {
    /// Whether it gets ASCII without control sequences: no colours, no progress bar.
    static let isPlain = isPlain { name in getenv(name).map { String(cString: $0) } }

    /// - Parameter variable: an environment variable's value.
    static func isPlain(_ variable: (String) -> String?) -> Bool {
        if ["", "dumb"].contains(variable("TERM") ?? "") { return true }
        // The first that is set and not empty counts: setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(variable).first { !$0.isEmpty } ?? "C"
        let name = locale.uppercased()
        return !name.contains("UTF-8") && !name.contains("UTF8")
    }
}

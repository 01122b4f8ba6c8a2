import Glibc

/// The capabilities of the terminal, according to the environment.
enum Terminal {
    /// Whether the terminal only gets ASCII without control sequences: no colours, no progress bar.
    static let isPlain = isPlain { name in getenv(name).map { String(cString: $0) } }

    /// - Parameter variable: returns the value of an environment variable.
    static func isPlain(_ variable: (String) -> String?) -> Bool {
        if ["", "dumb"].contains(variable("TERM") ?? "") { return true }
        // The first variable that is set and not empty applies: setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(variable).first { !$0.isEmpty } ?? "C"
        let name = locale.uppercased()
        return !name.contains("UTF-8") && !name.contains("UTF8")
    }

    /// The width of a terminal; 80 if it isn't known.
    static func columns(of descriptor: Int32) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

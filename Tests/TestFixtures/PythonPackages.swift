import Foundation

/// Python with the packages that `make test` installs: readers of what cfic writes.
public enum PythonPackages {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    /// The interpreter.
    public static let python = project + "/.build/python/bin/python3"
    /// Whether they are installed.
    public static let areInstalled =
        access(python, X_OK) == 0
        && (try? run(python, "-c", "import opentelemetry.proto.profiles.v1development, prometheus_client")) != nil
    /// What a skipped test lacks.
    public static let need = "needs PyPI's opentelemetry-proto and prometheus-client, which make test installs"
}

import Foundation

/// pprof, built from the sources that Debian has.
public enum Pprof {
    private static let sources = "/usr/share/gocode"

    /// Whether Go and the sources are installed.
    public static let canBeBuilt =
        access("/usr/bin/go", X_OK) == 0 && access("\(sources)/src/github.com/google/pprof/pprof.go", R_OK) == 0
    /// What a skipped test lacks.
    public static let need = "needs Debian's golang-go and golang-github-google-pprof-dev"

    /// Its executable, in a directory that is removed when the fixture goes.
    public static func build(in fixture: Fixture) throws -> String {
        let path = fixture.directory + "/pprof"
        try TestFixtures.run(
            words: ["/usr/bin/go", "build", "-o", path, "github.com/google/pprof"],
            environment: [
                "GOPATH": sources, "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": fixture.directory + "/go-cache",
                "HOME": fixture.directory,
            ], seconds: 600)
        return path
    }
}

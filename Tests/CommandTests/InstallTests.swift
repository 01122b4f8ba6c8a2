import Foundation
import Testing

private let hasMake = access("/usr/bin/make", X_OK) == 0

/// `make install` into a directory of the test.
@Suite(.timeLimit(.minutes(30)), .enabled(if: hasMake, "make is not installed")) struct InstallTests {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// - Parameter binaries: the directory of the built executable, by default that of the tests.
    private func make(_ target: String, binaries: String? = nil, _ variables: String = "") throws -> Outcome {
        let binaries = try binaries ?? (Workplace.program() as NSString).deletingLastPathComponent
        return try place.shell(
            "umask 077; make --no-print-directory -C '\(Self.project)' \(target) BINARIES='\(binaries)' \(variables)")
    }

    /// The paths in the workplace with their modes, sorted.
    private func listing() throws -> [String] {
        let outcome = try place.shell("find . -mindepth 1 -printf '%m %P\\n' | sort -k 2")
        return outcome.output.split(separator: "\n").map(String.init)
    }

    @Test func blanksAndTheUmaskDoNotMatter() throws {
        try #require(mkdir(place.directory + "/a stage", 0o755) == 0)
        let before = try listing()
        let stage = "DESTDIR='\(place.directory)/a stage' PREFIX='/opt/my cfic'"
        let install = try make("install", stage)
        #expect(install.code == 0, "\(install.diagnostics)")
        let files = try listing()
        let root = "a stage/opt/my cfic"
        #expect(files.contains("755 \(root)/bin/cfic"))
        for name in [
            "include/cfic/lookup.h", "include/cfic/x86_64/sigframe.h", "share/doc/cfic/README.md",
            "share/doc/cfic/docs/json.md", "share/bash-completion/completions/cfic", "share/zsh/site-functions/_cfic",
            "share/fish/vendor_completions.d/cfic.fish", "share/pkgconfig/cfic.pc",
            "lib/systemd/system/cfic.service",
        ] { #expect(files.contains("644 \(root)/\(name)"), "\(name)") }
        #expect(files.allSatisfy { $0.hasPrefix("755 ") || $0.hasPrefix("644 ") }, "\(files)")
        #expect(!files.contains { $0.hasSuffix("native.h") })
        // Installing again and then uninstalling removes everything.
        #expect(try make("install", stage).code == 0)
        let uninstall = try make("uninstall", stage)
        #expect(uninstall.code == 0, "\(uninstall.diagnostics)")
        #expect(try listing() == before)
    }

    /// Manual pages are made by an executable of the argument parser, which `make build` builds. The test has a fake
    /// one.
    @Test func manualPagesAreMadeWhereTheirProgramWasBuilt() throws {
        let stand = """
            #!/bin/sh
            test "$2 $3 $4" = "--multi-page --date 1970-01-02" && touch "$6/cfic.1" "$6/cfic.dump.1"
            """
        try stand.write(toFile: place.directory + "/generate-manual", atomically: true, encoding: .utf8)
        try #require(place.shell("chmod +x generate-manual; ln -s '\(Workplace.program())' cfic").code == 0)
        let variables = "PREFIX='\(place.directory)/root' SOURCE_DATE_EPOCH=86400"
        let install = try make("install", binaries: place.directory, variables)
        #expect(install.code == 0 && !install.diagnostics.contains("manual"), "\(install.diagnostics)")
        let pages = ["644 root/share/man/man1/cfic.1", "644 root/share/man/man1/cfic.dump.1"]
        #expect(try Set(listing()).isSuperset(of: pages))
        #expect(try make("uninstall", binaries: place.directory, variables).code == 0)
        #expect(try listing().count == 2)

        #expect(try place.shell("rm generate-manual").code == 0)
        let without = try make("install", binaries: place.directory, variables)
        #expect(without.code == 0 && without.diagnostics.contains("no manual pages"), "\(without.diagnostics)")
    }

    /// As they come from a help text with paragraphs and examples.
    @Test(.enabled(if: access("/usr/bin/groff", X_OK) == 0, "groff is not installed"))
    func manualPagesAreSetWithoutWarnings() throws {
        let page = """
            .Dd January 2, 1970
            .Dt CFIC 1
            .Os
            .Sh NAME
            .Nm cfic
            .Nd "Compile."
            .Sh DESCRIPTION
            First.

            Second:

              cfic compile /bin/bash          compile and store its table
              cfic stats /bin/bash            how much of its code can be unwound, and by what?

            Last:
              cfic kernel
            .Bl -tag -width 6n
            .It Fl h
            Help.
            .El

            """
        try page.write(toFile: place.directory + "/page", atomically: true, encoding: .utf8)
        try "#!/bin/sh\ncp '\(place.directory)/page' \"$6/cfic.1\"\n".write(
            toFile: place.directory + "/generate-manual", atomically: true, encoding: .utf8)
        try #require(place.shell("chmod +x generate-manual; ln -s '\(Workplace.program())' cfic").code == 0)
        let install = try make("install", binaries: place.directory, "PREFIX='\(place.directory)/root'")
        #expect(install.code == 0, "\(install.diagnostics)")
        func set(_ path: String) throws -> Outcome {
            try place.shell("groff -mdoc -Tascii -P-bcou -ww -rLL=60n \(path)")
        }
        #expect(try set("page").diagnostics.contains("warning"))
        let outcome = try set("root/share/man/man1/cfic.1")
        #expect(outcome.code == 0 && outcome.diagnostics == "", "\(outcome.diagnostics)")
        // Examples keep their lines, although they are long.
        #expect(outcome.output.contains("how much of its code can be unwound, and by what?\n"), "\(outcome.output)")
        #expect(outcome.output.contains("First.\n\n     Second:\n\n"), "\(outcome.output)")
    }

    @Test func pkgConfigLeadsToTheHeaders() throws {
        let install = try make("install", "DESTDIR='\(place.directory)' PREFIX=/opt/cfic")
        #expect(install.code == 0, "\(install.diagnostics)")
        let lines = try String(contentsOfFile: place.directory + "/opt/cfic/share/pkgconfig/cfic.pc", encoding: .utf8)
            .split(separator: "\n")
        #expect(lines.starts(with: ["prefix=/opt/cfic", "includedir=${prefix}/include"]))
        let version = try place.shell("opt/cfic/bin/cfic --version").output.split(separator: "\n")
        #expect(lines.contains("Version: \(version.first ?? "")"))
    }

    @Test(.enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0, "systemd-analyze is not installed"))
    func unitIsValid() throws {
        #expect(try make("install", "PREFIX='\(place.directory)/root'").code == 0)
        let unit = "root/lib/systemd/system/cfic.service"
        let outcome = try place.shell("systemd-analyze verify --man=no \(unit)")
        #expect(outcome.code == 0 && !outcome.diagnostics.contains("cfic.service"), "\(outcome.diagnostics)")
        let text = try String(contentsOfFile: "\(place.directory)/\(unit)", encoding: .utf8)
        #expect(text.contains("ExecStart=\(place.directory)/root/bin/cfic profile -a ") && !text.contains("@PREFIX@"))
    }

    @Test func directoriesThatWereThereStay() throws {
        try #require(place.shell("mkdir -p root/bin root/share/zsh/site-functions && touch root/bin/other").code == 0)
        let before = try listing().map { $0.split(separator: " ")[1] }
        let root = "PREFIX='\(place.directory)/root'"
        #expect(try make("install", root).code == 0 && make("uninstall", root).code == 0)
        #expect(try listing().map { $0.split(separator: " ")[1] } == before)
    }

    /// Installing doesn't build, because root might then own the build files.
    @Test func withoutABuildItSaysSo() throws {
        let outcome = try make("install", binaries: "\(place.directory)/none", "PREFIX='\(place.directory)/root'")
        #expect(outcome.code != 0 && outcome.diagnostics.contains("run 'make build' first"), "\(outcome.diagnostics)")
        #expect(try listing() == [])
    }

    @Test func itLeavesNothingInTheTree() throws {
        func files() throws -> String {
            let command = "find '\(Self.project)' -name .build -prune -o -name .git -prune -o -type f -print"
            return try place.shell("\(command) | sort").output
        }
        let before = try files()
        let root = "PREFIX='\(place.directory)/root'"
        #expect(try make("install", root).code == 0 && make("uninstall", root).code == 0)
        #expect(try files() == before)
    }
}

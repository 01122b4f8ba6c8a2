import Foundation
import Testing

/// `cfic check-bpf` as a CI pipeline uses it.
@Suite struct CheckBPFTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Compiles a BPF program of `testdata/bpf` to NAME.o in the workplace.
    private func compile(_ name: String, _ options: String = "-g") throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let outcome = try place.shell(
            """
            clang -target bpf -mcpu=v3 -O2 \(options) -I"/usr/include/$(uname -m)-linux-gnu" \\
                -c '\(root)/testdata/bpf/\(name).bpf.c' -o \(name).o
            """)
        try #require(outcome.code == 0, "\(outcome.diagnostics)")
    }

    @Test func findingsMakeExitCode1() throws {
        try compile("global-pointer")
        let old = try place.cfic("check-bpf", "global-pointer.o", "--kernel", "5.10")
        #expect(old.code == 1)
        #expect(old.output.contains("global-pointer.bpf.c:9: dwarf_cfi_eval() is global and takes a pointer"))
        for line in [
            "in       dwarf_cfi_eval", "refused  by Linux 5.10",
            "message  Arg#0 type PTR in dwarf_cfi_eval() is not supported yet", "accepted from Linux 5.12 on",
            "remedy   ",
        ] { #expect(old.output.contains("  \(line)"), "\(line)") }
        #expect(!old.output.contains("\u{1b}["))
        let new = try place.cfic("check-bpf", "global-pointer.o", "--kernel", "5.12")
        #expect(new.code == 0)
        #expect(new.output == "global-pointer.o: found nothing that Linux 5.12 refuses\n" && new.diagnostics == "")
    }

    @Test func severalKernelsAndObjectsAreSaidOnce() throws {
        try compile("global-pointer")
        try compile("good")
        let outcome = try place.cfic(
            "check-bpf", "--json", "good.o", "global-pointer.o", "--kernel", "6.1", "--kernel", "5.11", "--kernel",
            "5.10")
        #expect(outcome.code == 1)
        let report = try #require(try outcome.json() as? [String: Any])
        #expect(report["objects"] as? [String] == ["good.o", "global-pointer.o"])
        let findings = try #require(report["findings"] as? [[String: Any]])
        try #require(findings.count == 1)
        #expect(findings[0]["kernels"] as? [String] == ["5.10", "5.11"])
        #expect(findings[0]["path"] as? String == "global-pointer.o")
        #expect(findings[0]["kind"] as? String == "global-function")
        #expect(findings[0]["function"] as? String == "dwarf_cfi_eval")
        #expect(findings[0]["line"] as? Int == 9)
        #expect(findings[0]["since"] as? String == "5.12")
    }

    /// The check in `make build`.
    @Test func ourOwnProgramsNeedNoMoreThanLinux510() throws {
        try #require(place.cfic("kernel", "--object", "unwinder.bpf.o").code == 0)
        let outcome = try place.cfic("check-bpf", "--optional", "unwinder.bpf.o", "--kernel", "5.10")
        #expect(outcome.code == 0, "\(outcome.output)")
    }

    @Test func machineLimitsWhatIsSaid() throws {
        try compile("tail-call")
        let arguments = ["check-bpf", "--json", "tail-call.o", "--kernel", "5.10", "--machine"]
        for (machine, isThere) in [("x86-64", false), ("aarch64", true)] {
            let outcome = try place.shell("cfic \((arguments + [machine]).joined(separator: " "))")
            #expect(outcome.output.contains("tail_calls are not allowed in non-JITed") == isThere, "\(machine)")
        }
    }

    @Test func whatCannotBeCheckedIsNoted() throws {
        try compile("good", "-g0")
        let outcome = try place.cfic("check-bpf", "good.o", "--kernel", "5.10")
        // Without BTF its maps have no definitions, so libbpf rejects it.
        #expect(outcome.code == 1 && outcome.output.contains("BTF is required, but is missing or corrupted"))
        #expect(outcome.diagnostics.contains("note: good.o: no BTF"))
    }

    @Test func unreadableObjectsAreFailuresBesideFindings() throws {
        try compile("good")
        try place.write(Array("#!/bin/sh\n".utf8), to: "script")
        try place.library("x86.so")
        for (name, words) in [("script", "not an ELF file"), ("missing", "No such file"), ("x86.so", "not for BPF")] {
            let outcome = try place.cfic("check-bpf", "good.o", name, "--kernel", "5.10")
            #expect(outcome.code == 1)
            #expect(outcome.output.contains("good.o: found nothing"))
            #expect(
                outcome.diagnostics.contains("\(name): ") && outcome.diagnostics.contains(words),
                "\(outcome.diagnostics)")
        }
    }

    /// A cause with many locations is one finding.
    @Test func oneCauseIsOneFinding() throws {
        try compile("many-places")
        let outcome = try place.cfic("check-bpf", "--json", "many-places.o", "--kernel", "5.10", "--machine", "x86-64")
        let report = try #require(try outcome.json() as? [String: Any])
        let findings = try #require(report["findings"] as? [[String: Any]])
        #expect(findings.map { $0["count"] as? Int } == [5])
        let places = try #require(findings.first?["places"] as? [[String: Any]])
        #expect(places.count == 5 && places.last?["function"] as? String == "second")
        let text = try place.cfic("check-bpf", "many-places.o", "--kernel", "5.10", "--machine", "x86-64")
        #expect(text.output.contains("  also     4 more places, also in second\n"))
        #expect(text.diagnostics.contains("1 finding"))
    }

    /// BPF programs that aren't loaded by default, and findings that depend on a condition, are no failure.
    @Test func whatNeedNotBeRefusedIsExitCode0() throws {
        try compile("unsure")
        let outcome = try place.cfic("check-bpf", "unsure.o", "--kernel", "5.10")
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("  optional not loaded unless the loader asks for it"))
        #expect(outcome.output.contains("  only if  the loader changes the constant use_tai\n"))
        #expect(outcome.diagnostics.contains("2 findings, 2 of them conditional or in optional programs"))
        #expect(try place.cfic("check-bpf", "--optional", "unsure.o", "--kernel", "5.10").code == 1)
    }

    @Test func releasesThatSayLittleAreNoted() throws {
        try compile("global-pointer")
        for (kernel, words) in [
            ("4.18.0-553.el8", "is a vendor's kernel"), ("4.19", "releases before Linux 5.4 are not known"),
            ("9.1", "releases after Linux"),
        ] {
            let outcome = try place.cfic("check-bpf", "global-pointer.o", "--kernel", kernel)
            #expect(
                outcome.diagnostics.contains("note: ") && outcome.diagnostics.contains(words), "\(outcome.diagnostics)")
        }
    }

    @Test func typesOfAKernelAreAFile() throws {
        try compile("targets")
        try compile("types")
        let outcome = try place.cfic("check-bpf", "targets.o", "--kernel", "6.12", "--btf", "types.o")
        #expect(outcome.code == 1)
        #expect(outcome.output.contains("the security hook no_such_hook, which isn't in the kernel's types"))
        #expect(!outcome.output.contains("there"))
        let missing = try place.cfic("check-bpf", "targets.o", "--kernel", "6.12", "--btf", "missing")
        #expect(missing.code == 1 && missing.diagnostics.contains("missing: cannot open"))
        #expect(try place.cfic("check-bpf", "targets.o", "--btf", "types.o").code == 64)
    }

    /// The default is the running kernel, with its types if it has them.
    @Test func runningKernelIsTheDefault() throws {
        try compile("global-pointer")
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let version = release.split(separator: ".").prefix(2).joined(separator: ".")
        let outcome = try place.cfic("check-bpf", "--json", "global-pointer.o")
        try #require(outcome.json() is [String: Any], "\(outcome.diagnostics)")
        #expect(try place.cfic("check-bpf", "global-pointer.o").output.contains("Linux \(version)"))
    }

    @Test(arguments: ["--kernel five", "--kernel 5.10 --machine vax", "--kernel", "--btf a.o"])
    func wrongUsage(arguments: String) throws {
        try place.write([], to: "a.o")
        #expect(try place.shell("cfic check-bpf a.o \(arguments)").code == 64)
        #expect(try place.cfic("check-bpf", "--kernel", "5.10").code == 64)
    }
}

import Foundation
import Testing

/// `cfic check-bpf`, as a pipeline sees it.
@Suite struct CheckBPFTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Compiles a program of `testdata/bpf` to NAME.o in the workplace.
    private func compile(_ name: String, _ options: String = "-g") throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let outcome = try place.shell("""
            clang -target bpf -mcpu=v3 -O2 \(options) -I"/usr/include/$(uname -m)-linux-gnu" \\
                -c '\(root)/testdata/bpf/\(name).bpf.c' -o \(name).o
            """)
        try #require(outcome.code == 0, "\(outcome.talk)")
    }

    @Test func findingsMakeExitCode1() throws {
        try compile("global-pointer")
        let old = try place.cfic("check-bpf", "global-pointer.o", "--kernel", "5.10")
        #expect(old.code == 1)
        #expect(old.output.contains("global-pointer.bpf.c:9: dwarf_cfi_eval() is global and takes a pointer"))
        for line in [
            "in       dwarf_cfi_eval", "refused  by Linux 5.10",
            "saying   Arg#0 type PTR in dwarf_cfi_eval() is not supported yet", "accepted from Linux 5.12 on",
            "remedy   ",
        ] { #expect(old.output.contains("  \(line)"), "\(line)") }
        #expect(!old.output.contains("\u{1b}["))
        let new = try place.cfic("check-bpf", "global-pointer.o", "--kernel", "5.12")
        #expect(new.code == 0)
        #expect(new.output == "global-pointer.o: nothing found that Linux 5.12 refuses\n" && new.talk == "")
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
        #expect(outcome.code == 0)
        #expect(outcome.talk.contains("note: good.o: no BTF"))
    }

    @Test func unreadableObjectsAreFailuresBesideFindings() throws {
        try compile("good")
        try place.write(Array("#!/bin/sh\n".utf8), to: "script")
        try place.library("x86.so")
        for (name, words) in [("script", "not an ELF file"), ("missing", "No such file"), ("x86.so", "not for BPF")] {
            let outcome = try place.cfic("check-bpf", "good.o", name, "--kernel", "5.10")
            #expect(outcome.code == 1)
            #expect(outcome.output.contains("good.o: nothing found"))
            #expect(outcome.talk.contains("\(name): ") && outcome.talk.contains(words), "\(outcome.talk)")
        }
    }

    @Test(arguments: ["", "--kernel five", "--kernel 5.10 --machine vax", "--kernel"])
    func wrongUsage(arguments: String) throws {
        try place.write([], to: "a.o")
        #expect(try place.shell("cfic check-bpf a.o \(arguments)").code == 64)
        #expect(try place.cfic("check-bpf", "--kernel", "5.10").code == 64)
    }
}

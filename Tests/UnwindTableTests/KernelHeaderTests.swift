import Foundation
import TestFixtures
import Testing
import UnwindTable

/// The headers that BPF programs include, compiled in the same way.
@Suite struct KernelHeaderTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// Linux 5.10 supports -mcpu=v3. There must be no warnings and no undefined symbols.
    @Test(arguments: ["CFIC_MACHINE_X86_64", "CFIC_MACHINE_AARCH64"])
    func lookupAndWalkCompileForKernels(machine: String) throws {
        let fixture = try Fixture()
        let object = fixture.directory + "/walk.o"
        // On Debian asm/types.h is in a directory per machine.
        let native = try run("clang", "-print-target-triple").split(separator: "-")
        try run(words: [
            "clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-DMACHINE=\(machine)",
            "-I/usr/include/\(native.first ?? "x86_64")-linux-gnu", "-I\(Self.root)/bpf/include",
            "-c", "\(Self.root)/Tests/KernelHeaders/walk.bpf.c", "-o", object,
        ])
        let symbols = try run("readelf", "--wide", "--symbols", object).split(separator: "\n")
        #expect(symbols.contains { $0.hasSuffix(" step") })
        let undefined = symbols.filter { $0.contains(" UND ") && !$0.contains(" NOTYPE  LOCAL ") }
        #expect(undefined == [], "\(undefined)")
    }

    /// All installed headers. Some require macros to be defined first, and list them.
    @Test(arguments: [("gcc", "c"), ("clang", "c"), ("g++", "cc"), ("clang++", "cc")])
    func eachHeaderStandsAloneOrSaysWhatItNeeds(compiler: String, language: String) throws {
        let fixture = try Fixture()
        let asked = [
            "program.h": "CFIC_READ", "sigframe.h": "CFIC_READ", "step.h": "CFIC_READ", "guess.h": "CFIC_READ",
            "known_code.h": "CFIC_READ",
            "walk.h": "CFIC_FIND",
        ]
        let directory = "\(Self.root)/bpf/include/cfic"
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".h") }
        #expect(names.count >= 15)
        for name in names {
            let path = try fixture.write(Array("#include <cfic/\(name)>\n".utf8), to: "one.\(language)")
            let words = [compiler, "-Wall", "-Wextra", "-Werror", "-I\(Self.root)/bpf/include", "-fsyntax-only", path]
            if let definition = asked[name] {
                #expect(throws: (any Error).self, "\(name)") { try run(words: words) }
                do { try run(words: words) } catch { #expect("\(error)".contains("define \(definition)"), "\(error)") }
            } else {
                try run(words: words)
            }
        }
    }

    /// In the oldest and the newest C++ standard that both compilers support.
    @Test(arguments: ["g++", "clang++"], ["c++11", "c++20"])
    func walksCompileAsCPlusPlus(compiler: String, standard: String) throws {
        try run(words: [
            compiler, "-std=\(standard)", "-Wall", "-Wextra", "-Werror", "-I\(Self.root)/bpf/include", "-fsyntax-only",
            "\(Self.root)/Tests/KernelHeaders/walk.cc",
        ])
    }
}

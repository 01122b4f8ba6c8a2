import BPFCheck
import ELF
import Foundation
import TestFixtures
import Testing

/// Compiles the BPF programs in `testdata/bpf`, each once.
enum BPFSource {
    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// The object that clang makes from `testdata/bpf/NAME.bpf.c`.
    static func bytes(_ name: String, version: String = "v3", _ options: String...) throws -> [UInt8] {
        try compiled("\(root)/testdata/bpf/\(name).bpf.c", version, options)
    }

    static func object(_ name: String, version: String = "v3") throws -> BPFObject {
        try BPFObject(bytes: bytes(name, version: version), name: name)
    }

    /// An object made from source text, which may include `bpf.h`.
    static func object(text: String, version: String = "v3") throws -> BPFObject {
        let fixture = try Fixture()
        let path = fixture.directory + "/text.bpf.c"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return try BPFObject(bytes: compiled(path, version, []), name: "text")
    }

    /// The bytes of a section of the object that clang makes from C source.
    static func section(_ name: String, of text: String) throws -> [UInt8] {
        let fixture = try Fixture()
        let path = fixture.directory + "/text.c"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let bytes = try compiled(path, "v3", [])
        let sections = try ELFImage(bytes: bytes, name: "text").sections()
        guard let section = sections.first(where: { $0.name == name }) else { throw TestFailure("no \(name)") }
        return Array(bytes[Int(section.offset)..<Int(section.offset + section.size)])
    }

    /// A kernel's types, made from C source.
    static func types(_ text: String) throws -> KernelBTF {
        let fixture = try Fixture()
        let path = fixture.directory + "/types.c"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return try KernelBTF(path: fixture.write(compiled(path, "v3", []), to: "types.o"))
    }

    private static func compiled(_ path: String, _ version: String, _ options: [String]) throws -> [UInt8] {
        let fixture = try Fixture()
        let object = fixture.directory + "/object.o"
        // On Debian asm/types.h is in a directory per machine.
        let native = try run("clang", "-print-target-triple").split(separator: "-")
        try run(
            words: [
                "clang", "-target", "bpf", "-mcpu=\(version)", "-O2", "-g", "-Wall", "-Werror",
                "-I/usr/include/\(native.first ?? "x86_64")-linux-gnu", "-I\(root)/testdata/bpf", "-c", path, "-o",
                object,
            ] + options)
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: object)))
    }
}

extension BPFObject {
    /// An object with one BPF program in `section`, with the function body `body`, and further `declarations`.
    init(_ section: String, _ body: String, _ declarations: String = "", licence: String = "GPL") throws {
        self = try BPFSource.object(
            text: """
                #define LICENCE "\(licence)"
                #include "objects/object.h"
                \(declarations)
                PROGRAM("\(section)", \(body))
                """)
    }

    func findings(_ major: Int, _ minor: Int, _ machines: [TargetMachine] = TargetMachine.allCases) -> [Finding] {
        findings(kernel: KernelVersion(major, minor), machines: machines)
    }

    /// `KIND FUNCTION` of each finding.
    func kinds(_ major: Int, _ minor: Int, _ machines: [TargetMachine] = TargetMachine.allCases) -> [String] {
        findings(major, minor, machines).map { "\($0.kind.rawValue) \($0.function ?? "-")" }
    }
}

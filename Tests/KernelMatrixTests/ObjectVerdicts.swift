import BPFCheck
import Foundation
import Synchronization
import TestFixtures

/// The verdicts of a guest's kernel on the objects of testdata/bpf/objects, and the predictions.
struct ObjectVerdicts {
    /// The kernel's message by rejected object; nil for a loaded object.
    var said: [String: String?] = [:]
    /// Objects whose loader crashed.
    var broken: [String] = []
    var kernel: KernelVersion
    /// The kernel's types. Guests have no modules.
    var types: KernelBTF

    static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// The objects' names. Each object is one file and tests one thing.
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(project)/testdata/bpf/objects")) ?? []
        return files.filter { $0.hasSuffix(".bpf.c") }.map { String($0.dropLast(".bpf.c".count)) }.sorted()
    }()

    /// The directory of the compiled objects; compiled once.
    static let objects = Result { try compiled() }

    private static func compiled() throws -> String {
        let directory = "\(project)/.build/kernel-matrix/objects"
        try? FileManager.default.removeItem(atPath: directory)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        // On Debian asm/types.h is in a directory per machine.
        let native = try run("clang", "-print-target-triple").split(separator: "-").first ?? "x86_64"
        for (types, isChosen) in [("-g", { !$0.hasSuffix("-g0") }), ("-g0", { $0.hasSuffix("-g0") })]
            as [(String, (String) -> Bool)]
        {
            let sources = names.filter(isChosen).map { "\(project)/testdata/bpf/objects/\($0).bpf.c" }
            try run(
                words: [
                    "clang", "-target", "bpf", "-mcpu=v3", "-O2", types, "-Wall", "-Werror",
                    "-I/usr/include/\(native)-linux-gnu", "-c",
                ] + sources, in: directory, seconds: 300)
        }
        return directory
    }

    /// The verdicts of a kernel. It is booted once for all objects.
    static func of(_ guest: KernelGuest) throws -> ObjectVerdicts {
        try known.withLock { known in
            if let verdicts = known[guest] { return try verdicts.get() }
            let verdicts = Result { try ObjectVerdicts(guest) }
            known[guest] = verdicts
            return try verdicts.get()
        }
    }

    private static let known = Mutex<[KernelGuest: Result<ObjectVerdicts, any Error>]>([:])

    private init(_ guest: KernelGuest) throws {
        let matrix = "\(Self.project)/.build/kernel-matrix"
        let text = try TestFixtures.run(
            words: [
                "\(Self.project)/Tests/KernelMatrix/objects/run.sh", guest.kernel, guest.architecture.rawValue,
                Self.objects.get(),
            ],
            environment: ["KERNEL_MATRIX": matrix], seconds: 900)
        let lines = text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 3) }
        guard lines.last == ["finished"], let release = lines.first(where: { $0.first == "kernel" }),
            release.count == 2, let kernel = KernelVersion(String(release[1]))
        else { throw TestFailure("the guest did not finish:\n\(text)") }
        self.kernel = kernel
        types = try KernelBTF(path: "\(matrix)/\(guest.architecture)/btf-\(guest.kernel)")
        for words in lines where words.first == "object" && words.count > 2 {
            switch words[2] {
            case "loaded": said[String(words[1])] = .some(nil)
            case "refused": said[String(words[1])] = words.count > 3 ? String(words[3]) : ""
            default: broken.append(String(words[1]))
            }
        }
    }

    /// Predictions compared with verdicts, by object.
    struct Confusion {
        var predictedAndRefused: [String] = []
        /// False alarms.
        var predictedAndLoaded: [String] = []
        var missed: [String] = []
        var neither: [String] = []

        /// The counts as a row of a table.
        var counts: String {
            "predicted and refused \(predictedAndRefused.count), predicted and loaded \(predictedAndLoaded.count), "
                + "not predicted and refused \(missed.count), neither \(neither.count)"
        }
    }

    /// - Parameter withTypes: whether predictions use the kernel's types.
    func confusion(_ machine: TargetMachine, withTypes: Bool) throws -> Confusion {
        let directory = try Self.objects.get()
        var confusion = Confusion()
        for (name, words) in said.sorted(by: { $0.key < $1.key }) {
            let object = try BPFObject(path: "\(directory)/\(name).bpf.o")
            let findings = object.findings(kernel: kernel, types: withTypes ? types : nil, machines: [machine])
            switch (findings.contains(where: \.isRefusal), words != nil) {
            case (true, true): confusion.predictedAndRefused.append(name)
            case (true, false): confusion.predictedAndLoaded.append(name)
            case (false, true): confusion.missed.append(name)
            case (false, false): confusion.neither.append(name)
            }
        }
        return confusion
    }
}

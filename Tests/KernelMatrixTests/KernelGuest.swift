import Foundation
import Synchronization
import TestFixtures

/// A kernel on an emulated machine, in which Tests/KernelMatrix/run.sh runs the kernel unwinder.
struct KernelGuest: Hashable, Sendable, CustomStringConvertible {
    enum Architecture: String, CaseIterable { case amd64, arm64 }

    /// A Debian kernel series, or "newest".
    var kernel: String
    var architecture: Architecture

    static let all = Architecture.allCases.flatMap { architecture in
        ["5.10", "6.1", "6.12", "newest"].map { Self(kernel: $0, architecture: architecture) }
    }

    /// Whether guests can be built: amd64 guests need the machine's own compiler.
    static var canBeBuilt: Bool {
        #if arch(x86_64)
            !HostKernel.isLeftAlone
        #else
            false
        #endif
    }

    var description: String { "\(kernel) \(architecture)" }

    /// The output of its run. It runs once; concurrent callers wait.
    func report() throws -> GuestReport {
        try Self.reports.withLock { reports in
            if let known = reports[self] { return try known.get() }
            let report = Result { try GuestReport(run()) }
            reports[self] = report
            if let text = try? report.get().summary { print(text) }
            return try report.get()
        }
    }

    private static let reports = Mutex<[Self: Result<GuestReport, any Error>]>([:])

    /// Throws if there is no kernel or its output is incomplete. Errors in the guest are in the output.
    private func run() throws -> String {
        let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString
        let command = "\"$0\" \"$@\" 2>&1 || [ $? = 1 ]"
        // The first run downloads kernels and the packages for guests.
        return try TestFixtures.run(
            words: ["bash", "-c", command, "\(project)/Tests/KernelMatrix/run.sh", kernel, architecture.rawValue],
            environment: [
                "CFIC": own.deletingLastPathComponent + "/cfic", "KERNEL_MATRIX": "\(project)/.build/kernel-matrix",
            ],
            seconds: 900)
    }
}

import BPFCheck
import Foundation
import Testing

extension KernelMatrixTests {
    /// `check-bpf` against kernels: what it predicts of small objects, and what becomes of them.
    @Suite(.serialized) struct Objects {
        private static let document = Result {
            try String(contentsOfFile: "\(ObjectVerdicts.project)/docs/check-bpf.md", encoding: .utf8)
        }

        @Test func thereAreOneHundredObjectsOrMore() {
            #expect(ObjectVerdicts.names.count >= 100)
        }

        @Test(arguments: KernelGuest.all)
        func everyObjectHasAVerdict(guest: KernelGuest) throws {
            let verdicts = try ObjectVerdicts.of(guest)
            #expect(verdicts.broken == [])
            #expect(verdicts.said.keys.sorted() == ObjectVerdicts.names)
        }

        /// Whether only the release is known, or the kernel's types are too.
        @Test(arguments: KernelGuest.all, [false, true])
        func nothingIsRefusedWithoutAWordAndNothingPredictedIsLoaded(guest: KernelGuest, withTypes: Bool) throws {
            let machine: TargetMachine = guest.architecture == .amd64 ? .x86_64 : .aarch64
            let verdicts = try ObjectVerdicts.of(guest)
            let confusion = try verdicts.confusion(machine, withTypes: withTypes)
            print("\(verdicts.kernel) \(machine.rawValue)\(withTypes ? " with types" : ""): \(confusion.counts)")
            #expect(confusion.predictedAndLoaded == [])
            let document = try Self.document.get()
            // What can't be known has a row of its own there, with the reason.
            let unknown = confusion.missed.filter { !document.contains("| `\($0)` |") }
            #expect(unknown.map { "\($0): \((verdicts.said[$0] ?? nil) ?? "")" } == [])
            #expect(confusion.predictedAndRefused.count >= 60)
            #expect(confusion.neither.count >= 60)
        }

        /// What is said to be unknowable is refused without a prediction by some kernel: no row is there for nothing.
        @Test func whatTheDocumentSaysToBeUnknowableIs() throws {
            var missed: Set<String> = []
            for guest in KernelGuest.all {
                let machine: TargetMachine = guest.architecture == .amd64 ? .x86_64 : .aarch64
                for withTypes in [false, true] {
                    missed.formUnion(try ObjectVerdicts.of(guest).confusion(machine, withTypes: withTypes).missed)
                }
            }
            let rows = try Self.document.get().split(separator: "\n").drop { $0 != "Refused without a prediction:" }
            let named = rows.filter { $0.hasPrefix("| `") }
                .compactMap { $0.dropFirst(3).split(separator: "`").first.map(String.init) }
            #expect(named.sorted() == missed.sorted())
        }
    }
}

import BPFCheck
import Foundation
import Testing

extension KernelMatrixTests {
    /// Compares `check-bpf`'s predictions for small objects with the kernels' verdicts.
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

        /// With only the release, and with the kernel's types.
        @Test(arguments: KernelGuest.all, [false, true])
        func nothingIsRefusedWithoutAWordAndNothingPredictedIsLoaded(guest: KernelGuest, withTypes: Bool) throws {
            let machine: TargetMachine = guest.architecture == .amd64 ? .x86_64 : .aarch64
            let verdicts = try ObjectVerdicts.of(guest)
            let confusion = try verdicts.confusion(machine, withTypes: withTypes)
            print("\(verdicts.kernel) \(machine.rawValue)\(withTypes ? " with types" : ""): \(confusion.counts)")
            #expect(confusion.predictedAndLoaded == [])
            let document = try Self.document.get()
            // Rejections that can't be predicted have a row in the document, with the reason.
            let unknown = confusion.missed.filter { !document.contains("| `\($0)` |") }
            #expect(unknown.map { "\($0): \((verdicts.said[$0] ?? nil) ?? "")" } == [])
            #expect(confusion.predictedAndRefused.count >= 60)
            #expect(confusion.neither.count >= 60)
        }

        /// Each object in the document's list of unpredictable rejections is rejected by some kernel without a
        /// prediction.
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

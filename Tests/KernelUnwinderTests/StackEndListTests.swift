import CUnwindTable
import Foundation
@testable import KernelUnwinder
import TestFixtures
import Testing

/// The table in docs/stack-ends.md agrees with `CFIC_STEPS` in bpf/include/cfic/steps.h.
@Suite struct StackEndListTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// Cells of the table's rows.
    private func rows() throws -> [[String]] {
        String(decoding: try contents(Self.root + "/docs/stack-ends.md"), as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("| ") && $0.dropFirst(2).first?.isNumber == true }
            .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    }

    @Test func everyEndIsDocumentedInTheWordsOfTheList() throws {
        let expected = (0..<UInt32(CFIC_STEP_COUNT.rawValue)).map { code in
            let text = cfic_step_text(code).map { String(cString: $0) }
            let name = cfic_step_name(code).map { String(cString: $0) } ?? ""
            return ["\(code)", "`\(name)`", text]
        }
        #expect(try rows().map { Array($0.prefix(3)) } == expected)
    }

    @Test func everyEndSaysWhatItMeansForTheStack() throws {
        for row in try rows() {
            try #require(row.count == 4, "\(row)")
            let end = StackEnd(code: try #require(UInt32(row[0])))
            if end.code == CFIC_STEP_CALLER.rawValue { continue }
            #expect(row[3].hasPrefix("\(StackOutcome(end, hasGuesses: false))"), "\(row)")
        }
    }
}

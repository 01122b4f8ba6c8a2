import CUnwindTable
import Inputs
import UnwindTable

/// Tests bytes as a table file. If the verifier accepts it, lookups, listings and unwinding must not read out of
/// bounds, and lookups must agree with the rows.
@_cdecl("LLVMFuzzerTestOneInput")
public func testTable(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = TableInput(InputBytes(start, count))
    defer { input.deallocate() }
    guard let view = try? TableVerifier.verify(UnsafeRawBufferPointer(input.bytes)) else { return 0 }
    var random = RandomNumbers(seed: input.seed)
    compareLookups(view)
    lookUpEdges(view, &random)
    for number in view.rules.indices.prefix(4096) { _ = view.describe(number) }
    _ = view.key
    var unwinding = Unwinding(view, seed: input.seed)
    unwinding.run()
    return 0
}

private func compareLookups(_ view: TableView) {
    var end: UInt64 = 0
    view.forEachRow { range, rule in
        guard range.lowerBound >= end, !range.isEmpty else { fatalError("rows do not rise at \(range)") }
        end = range.upperBound
        for address in [range.lowerBound, range.upperBound - 1] where view.ruleNumber(at: address) != rule {
            fatalError("rule \(rule) in the row \(range), \(view.ruleNumber(at: address)) by lookup of \(address)")
        }
    }
}

private func lookUpEdges(_ view: TableView, _ random: inout RandomNumbers) {
    func check(_ address: UInt64) {
        guard view.ruleNumber(at: address) < view.rules.count else { fatalError("no such rule at \(address)") }
    }
    view.forEachPage { page in
        let end = page.address &+ 1 << view.pageShift
        for edge in [page.address, end] {
            for distance in 0...4 as ClosedRange<UInt64> {
                check(edge &+ distance)
                check(edge &- distance)
            }
        }
        for _ in 0..<16 { check(page.address &+ random.next() % (1 << view.pageShift)) }
    }
    for _ in 0..<64 { check(random.next()) }
    check(0)
    check(.max)
}

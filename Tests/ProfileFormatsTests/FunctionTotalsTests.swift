@testable import ProfileFormats
import Testing

@Suite struct FunctionTotalsTests {
    private func entries(_ lines: [String]) -> [String: [Double]] {
        let profile = MadeProfile(folded: lines).profile
        let totals = FunctionTotals(profile)
        #expect(totals.total == profile.total.total)
        return Dictionary(
            uniqueKeysWithValues: totals.entries.map { (profile.names[$0.function.name], [$0.own, $0.total]) })
    }

    @Test func calleesCountForCallers() {
        #expect(
            entries(["t;main;a;b 5", "t;main;a 3", "t;main;b 2"]) == ["main": [0, 10], "a": [3, 8], "b": [7, 7]])
    }

    /// Directly, and by way of another function.
    @Test func recursionCountsOnce() {
        #expect(
            entries(["t;f;f;f 5", "t;f;g;f 3", "t;g;f;g 2", "t;g 1"]) == ["f": [8, 10], "g": [3, 6]])
    }

    @Test func hottestAreSortedByTheirOwn() {
        let profile = MadeProfile(folded: ["t;main;a;b 5", "t;main;c 7", "t;d;c;e 1", "t;x;y 5", "t;main 9"]).profile
        #expect(FunctionTotals(profile).hottest(4).map { profile.names[$0.function.name] } == ["main", "c", "b", "y"])
        // `a`, `d` and `x` have nothing of their own.
        #expect(FunctionTotals(profile).hottest(100).count == 5)
    }

    @Test func sameNameInOtherFilesIsAnotherFunction() {
        var made = MadeProfile()
        made.add([.init("f", module: "/a"), .init("f", module: "/b")], 3)
        let totals = FunctionTotals(made.profile)
        #expect(totals.entries.map(\.own) == [0, 3] && totals.entries.map(\.total) == [3, 3])
    }

    @Test func stacksWithoutFramesCountForNoFunction() {
        var made = MadeProfile()
        made.add([], 4)
        made.add(["f"], 1)
        let totals = FunctionTotals(made.profile)
        #expect(totals.total == 5 && totals.entries.map(\.own) == [1])
    }
}

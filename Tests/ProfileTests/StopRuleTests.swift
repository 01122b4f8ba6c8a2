@testable import Profile
import Testing

/// When a recording ends.
@Suite struct StopRuleTests {
    private let rule = StopRule(duration: .seconds(2))

    private func reason(
        _ rule: StopRule, after elapsed: Duration, ended: Bool = false, request: StopRequest? = nil
    ) -> StopReason? { rule.reason(after: elapsed, hasTargetEnded: ended, request: request) }

    @Test func durationIsReachedNotExceeded() {
        #expect(reason(rule, after: .milliseconds(1999)) == nil)
        #expect(reason(rule, after: .seconds(2)) == .timeUp)
        #expect(reason(rule, after: .seconds(3)) == .timeUp)
    }

    @Test func withoutADurationItGoesOn() { #expect(reason(StopRule(), after: .seconds(1 << 40)) == nil) }

    @Test func requestEndsItAndSaysWhoseItIs() {
        for request in [.signal(2), .call] as [StopRequest] {
            #expect(reason(rule, after: .zero, request: request) == .requested(request))
            #expect(reason(StopRule(), after: .zero, request: request) == .requested(request))
        }
    }

    /// Its exit code would be lost otherwise.
    @Test func endOfTheTargetCountsMost() {
        #expect(reason(rule, after: .zero, ended: true) == .targetEnded)
        #expect(reason(rule, after: .seconds(3), ended: true, request: .signal(15)) == .targetEnded)
        #expect(reason(rule, after: .seconds(3), request: .signal(15)) == .requested(.signal(15)))
    }
}

// As shares.c.
//
// Origin: own. Licence: Apache-2.0.
import Glibc

func used() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

@inline(never) func spin(_ start: UInt64) -> UInt64 {
    var state = start
    for _ in 0..<5000 { state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
    return state
}

@inline(never) func part50(_ start: UInt64, until: Double) -> UInt64 {
    var state = start
    while used() < until { state ^= spin(state) }
    return state &+ 1
}

@inline(never) func part30(_ start: UInt64, until: Double) -> UInt64 {
    var state = start
    repeat { state = spin(state &+ 3) >> 1 } while used() < until
    return state ^ 5
}

@inline(never) func part20(_ start: UInt64, until: Double) -> UInt64 {
    var sum: UInt64 = 0
    while used() < until { sum &+= spin(start &- sum) }
    return sum &* 7
}

@main struct Shares {
    static func main() {
        let seconds = CommandLine.arguments.count > 1 ? Double(CommandLine.arguments[1])! : 1
        var (begin, state) = (used(), UInt64(1))
        while begin < seconds {
            state = part50(state, until: begin + 0.0185)
            state = part30(state, until: begin + 0.0296)
            state = part20(state, until: begin + 0.037)
            begin += 0.037
        }
        print(state)
    }
}

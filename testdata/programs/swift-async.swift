// Makes stacks of concurrent Swift: recursion through a protocol's witnesses, closures and generic functions, called by
// an actor's asynchronous method, which tasks of a group wait for. Those who wait have no stack. With SPIN it stays there.
//
// Origin: own. Licence: Apache-2.0.

/// Under this name for the debugger, and in a way that leaves its calls alone.
@_silgen_name("stop_here") @inline(never) @_optimize(none)
public func stopHere() {
    #if SPIN
    while true {}
    #endif
}

protocol Walk: Sendable {
    func walk(_ sum: Int) throws -> Int
}

struct End: Walk {
    @inline(never) func walk(_ sum: Int) throws -> Int {
        stopHere()
        return sum + 1
    }
}

final class Step: Walk {
    let next: any Walk
    init(_ next: any Walk) { self.next = next }

    @inline(never) func walk(_ sum: Int) throws -> Int {
        try mapped([sum, 1]) { try self.next.walk($0 + $1.count) }.reduce(0, +)
    }
}

@inline(never) @_optimize(none)
func mapped<Element, Result>(
    _ elements: [Element], _ body: (Element, [Element]) throws -> Result
) rethrows -> [Result] {
    [try body(elements[0], elements)]
}

actor Counter {
    var sum = 0

    func add(_ walk: any Walk) async throws -> Int {
        sum += try walk.walk(sum)
        await Task.yield()
        return sum
    }
}

@inline(never) func descend(_ counter: Counter, _ depth: Int) async throws -> Int {
    if depth > 0 { return try await descend(counter, depth - 1) + depth }
    // Until all that starts a program is over and others wait.
    try await Task.sleep(nanoseconds: 50_000_000)
    var walk: any Walk = End()
    for _ in 0..<40 { walk = Step(walk) }
    return try await counter.add(walk)
}

@main struct Program {
    static func main() async throws {
        let counter = Counter()
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...4 { group.addTask { try await descend(counter, number * 5) } }
            return try await group.reduce(0, +)
        }
        print(sum)
    }
}

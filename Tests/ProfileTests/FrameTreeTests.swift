import TestFixtures
import Testing

@testable import Profile

/// Sequences of words that begin alike.
@Suite struct FrameTreeTests {
    @Test func wordsComeBackInReverse() {
        var tree = FrameTree()
        let leaf = tree.leaf(of: [1, 2, 3])
        #expect(tree.reversedWords(of: leaf) == [3, 2, 1])
        #expect(tree.reversedWords(of: tree.leaf(of: [])) == [])
    }

    @Test func leavesTellSequencesApart() {
        var tree = FrameTree()
        let sequences: [[UInt64]] = [[], [1], [2], [1, 2], [2, 1], [1, 1], [1, 2, 3], [0], [0, 0], [.max, 0]]
        let leaves = sequences.map { tree.leaf(of: $0) }
        #expect(Set(leaves).count == sequences.count)
        #expect(sequences.map { tree.leaf(of: $0) } == leaves)
        #expect(sequences.map { tree.knownLeaf(of: $0) } == leaves)
        #expect(leaves.map { tree.reversedWords(of: $0) } == sequences.map { $0.reversed() })
        for unknown: [UInt64] in [[3], [1, 2, 3, 4], [2, 2]] { #expect(tree.knownLeaf(of: unknown) == nil) }
    }

    @Test func randomSequencesComeBack() {
        var random = SeededGenerator(seed: 1)
        var tree = FrameTree()
        var known: [[UInt64]: FrameTree.Leaf] = [:]
        for _ in 0..<20_000 {
            let words = (0..<Int.random(in: 0...12, using: &random)).map { _ in UInt64.random(in: 0..<5, using: &random)
            }
            let leaf = tree.leaf(of: words)
            #expect(known[words] == nil || known[words] == leaf)
            known[words] = leaf
        }
        #expect(Set(known.values).count == known.count)
        #expect(known.allSatisfy { tree.reversedWords(of: $0.value) == $0.key.reversed() })
    }

    @Test func sequencesThatBecomeEqualHaveOneLeaf() {
        var tree = FrameTree()
        let sequences: [[UInt64]] = [[], [1], [11], [1, 2], [11, 2], [11, 12], [2, 1], [1, 2, 3], [11, 12, 4]]
        let leaves = sequences.map { tree.leaf(of: $0) }
        let new = tree.map { $0 % 10 }
        let changed = leaves.map(new)
        #expect(changed.map { tree.reversedWords(of: $0) } == sequences.map { $0.reversed().map { $0 % 10 } })
        #expect(changed[1] == changed[2] && Set(changed[3...5]).count == 1 && Set(changed).count == 6)
        #expect(tree.words.sorted() == [1, 1, 2, 2, 3, 4] && tree.leaf(of: [1, 2]) == changed[3])
    }

    /// A sequence takes memory for what is new in it.
    @Test func commonBeginningsAreStoredOnce() {
        var tree = FrameTree()
        let common = Array<UInt64>(1...100)
        for last: UInt64 in 1000..<2000 { _ = tree.leaf(of: common + [last]) }
        // 1,100 nodes of 16 bytes, and at most four times as many slots of 4.
        #expect(tree.byteCount <= 1_101 * (16 + 4 * 4))
    }
}

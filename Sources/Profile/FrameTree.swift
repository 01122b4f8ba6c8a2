/// Sequences of words that begin alike, such as the frames of stacks from the outermost on. Each common beginning is stored
/// once, so a sequence takes memory for what is new in it.
struct FrameTree {
    /// Stands for a sequence: equal for equal sequences.
    struct Leaf: Hashable {
        /// In `nodes`; 0 for the empty sequence.
        fileprivate var node: UInt32 = 0
    }

    private struct Node {
        var word: UInt64 = 0
        var parent: UInt32 = 0
        /// The number of words from the beginning to this one.
        var depth: UInt32 = 0
    }

    /// The first is the root.
    private var nodes = [Node()]
    /// A hash table with open addressing: indices in `nodes`, or 0. Its size is a power of two, and at most half is used.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)
    /// Odd, and secret: the words are addresses of sampled programs, which could choose some that collide.
    private let multiplier = UInt64.random(in: .min ... .max) | 1

    /// In bytes.
    var byteCount: Int { nodes.count * MemoryLayout<Node>.stride + slots.count * MemoryLayout<UInt32>.stride }

    /// The leaf of a sequence, which is added if it is new.
    mutating func leaf(of words: some Sequence<UInt64>) -> Leaf {
        Leaf(node: words.reduce(0) { child($1, of: $0) })
    }

    /// The node of a word that follows another node, which is added if it is new.
    private mutating func child(_ word: UInt64, of parent: UInt32) -> UInt32 {
        let slot = slot(of: word, below: parent)
        return slots[slot] == 0 ? add(word, below: parent, at: slot) : slots[slot]
    }

    /// The last words of all beginnings of sequences.
    var words: some Sequence<UInt64> { nodes.lazy.dropFirst().map(\.word) }

    /// Changes words. Sequences that become equal have one leaf.
    ///
    /// - Returns: the new leaf for an old one.
    mutating func map(_ change: (UInt64) -> UInt64) -> (Leaf) -> Leaf {
        var changed = Self()
        // A node's parent comes before it.
        var new: [UInt32] = [0]
        new.reserveCapacity(nodes.count)
        for node in nodes.dropFirst() { new.append(changed.child(change(node.word), of: new[Int(node.parent)])) }
        self = changed
        return { Leaf(node: new[Int($0.node)]) }
    }

    /// The leaf of a sequence; nil if it was never added.
    func knownLeaf(of words: some Sequence<UInt64>) -> Leaf? {
        var node: UInt32 = 0
        for word in words {
            node = slots[slot(of: word, below: node)]
            if node == 0 { return nil }
        }
        return Leaf(node: node)
    }

    /// The words of a sequence, the last one first.
    func reversedWords(of leaf: Leaf) -> [UInt64] {
        Array(unsafeUninitializedCapacity: Int(nodes[Int(leaf.node)].depth)) { words, count in
            var node = leaf.node
            while node != 0 {
                words.initializeElement(at: count, to: nodes[Int(node)].word)
                (count, node) = (count + 1, nodes[Int(node)].parent)
            }
        }
    }

    /// The slot with a word that follows a node, or the free one where it belongs.
    private func slot(of word: UInt64, below parent: UInt32) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash(word, parent)) & mask
        while slots[slot] != 0 {
            let node = nodes[Int(slots[slot])]
            if node.word == word, node.parent == parent { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }

    /// Traps at 2^32 nodes, which take 64 GiB.
    private mutating func add(_ word: UInt64, below parent: UInt32, at slot: Int) -> UInt32 {
        let node = UInt32(nodes.count)
        nodes.append(Node(word: word, parent: parent, depth: nodes[Int(parent)].depth + 1))
        slots[slot] = node
        if nodes.count > slots.count / 2 { grow() }
        return node
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: 2 * slots.count)
        for (index, node) in nodes.enumerated().dropFirst() {
            slots[slot(of: node.word, below: node.parent)] = UInt32(index)
        }
    }

    private func hash(_ word: UInt64, _ parent: UInt32) -> UInt64 {
        let mixed = (word ^ UInt64(parent) &* 0xc2b2_ae3d_27d4_eb4f) &* multiplier
        return mixed ^ mixed >> 32
    }
}

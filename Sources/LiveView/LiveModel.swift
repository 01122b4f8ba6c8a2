import KernelUnwinder
import ProfileFormats

/// What a live view shows, and how keys change it. It knows no terminal.
package struct LiveModel {
    /// What is known of the recording besides its stacks.
    package struct Status: Sendable {
        /// What is sampled, in words.
        package var title: String
        /// Of the kernel, and of this process, in bytes; nil if it isn't known yet.
        package var kernelMemory: Int?
        package var residentMemory: Int?

        package init(title: String, kernelMemory: Int? = nil, residentMemory: Int? = nil) {
            (self.title, self.kernelMemory, self.residentMemory) = (title, kernelMemory, residentMemory)
        }
    }

    package enum Key: Equatable, Sendable {
        case up, down, left, right, enter, back, home
        case character(Character)
        case other
    }

    package private(set) var status: Status
    package private(set) var tree: LiveTree
    package private(set) var functions: ProfileTotals
    package private(set) var profile: NamedProfile
    /// Of the profile.
    package private(set) var total: NamedProfile.Weight
    private var samples: [StackOutcome: Int] = [:]
    /// What the graph begins with, and what is selected in it.
    package private(set) var zoom = 0
    package private(set) var selection = 0
    package private(set) var isPaused = false
    /// Whether the functions are those with the largest totals, rather than the largest of their own.
    package private(set) var sortsByTotal = false
    package private(set) var isEnded = false
    /// What came while it was paused.
    private var pending: (NamedProfile, Status)?

    package init(_ profile: NamedProfile, _ status: Status) {
        (self.profile, self.status, total) = (profile, status, profile.total)
        (tree, functions) = (LiveTree(profile), ProfileTotals(profile, by: .function))
        count()
    }

    private mutating func count() {
        samples = [:]
        for (stack, weight) in profile.stacks { samples[stack.outcome, default: 0] += weight.samples }
    }

    /// Shows another profile. The same functions stay zoomed and selected, as far as they are in it.
    package mutating func show(_ profile: NamedProfile, _ status: Status) {
        if isPaused {
            pending = (profile, status)
            return
        }
        let (zoomed, selected) = (tree.path(to: zoom), tree.path(to: selection))
        (self.profile, self.status, total) = (profile, status, profile.total)
        (tree, functions) = (LiveTree(profile), ProfileTotals(profile, by: .function))
        count()
        zoom = tree.node(at: zoomed)
        selection = tree.node(at: selected)
        if !contains(selection, in: zoom) { selection = zoom }
    }

    package mutating func press(_ key: Key) {
        switch key {
        case .up: if selection != zoom { selection = tree.nodes[selection].parent }
        case .down: selection = heaviest(of: selection) ?? selection
        case .left: selection = neighbour(-1)
        case .right: selection = neighbour(1)
        case .enter: zoom = selection
        case .back: zoom = tree.nodes[zoom].parent
        case .home: (zoom, selection) = (0, 0)
        case .character("q"), .character("\u{3}"), .character("\u{4}"): isEnded = true
        case .character("s"): sortsByTotal.toggle()
        case .character("p"), .character(" "):
            isPaused.toggle()
            if !isPaused, let (profile, status) = pending {
                pending = nil
                show(profile, status)
            }
        case .character, .other: break
        }
    }

    private func heaviest(of node: Int) -> Int? {
        tree.nodes[node].children.max { (tree.nodes[$0].total, $1) < (tree.nodes[$1].total, $0) }
    }

    private func contains(_ node: Int, in ancestor: Int) -> Bool {
        var node = node
        while node != ancestor {
            guard node != 0 else { return false }
            node = tree.nodes[node].parent
        }
        return true
    }

    private func depth(of node: Int) -> Int { tree.path(to: node).count }

    /// The next node of the same depth below the zoomed one.
    private func neighbour(_ step: Int) -> Int {
        let depth = depth(of: selection) - depth(of: zoom)
        var row = [zoom]
        for _ in 0..<max(0, depth) { row = row.flatMap { tree.nodes[$0].children } }
        guard let position = row.firstIndex(of: selection) else { return selection }
        return row[min(max(position + step, 0), row.count - 1)]
    }

    /// The share of samples whose stacks have an outcome.
    package func share(_ outcome: StackOutcome) -> Double {
        total.samples == 0 ? 0 : Double(samples[outcome] ?? 0) / Double(total.samples)
    }

    /// The functions in the order in which they are to be shown.
    package func hottest(_ count: Int) -> ArraySlice<ProfileTotals.Row> {
        guard sortsByTotal else { return functions.rows.prefix(count) }
        // Equal ones in the order of the others.
        return functions.rows.enumerated()
            .sorted { ($1.element.total, $0.offset) < ($0.element.total, $1.offset) }.map(\.element).prefix(count)
    }
}

/// A question whose answer isn't known here, together with the answer that makes some code reachable.
struct Condition: Hashable {
    /// In words that follow "only if": `the kernel has task_struct.field`.
    let text: String

    /// Several conditions together, in words; nil if there are none.
    static func text(_ conditions: Set<Condition>) -> String? {
        conditions.isEmpty ? nil : conditions.map(\.text).sorted().joined(separator: ", and ")
    }
}

/// A question that libbpf, or the loader, answers before the kernel sees the object.
struct Question: Equatable {
    /// The subject of the question: "the field task_struct.field" (which the kernel may have) or "CONFIG_HZ".
    let subject: String
    let kind: Kind

    enum Kind: Equatable {
        /// 1 if the kernel has it, 0 if not.
        case existence
        /// A value of the kernel's configuration.
        case configuration
        /// A constant in the object, which the loader may change.
        case constant
    }
}

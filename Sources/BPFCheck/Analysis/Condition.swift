/// A question whose answer is not known here, and the answer that leads somewhere.
struct Condition: Hashable {
    /// As it completes "only if": `the kernel has task_struct.field`.
    let text: String

    /// What several conditions are together, in words; nil if there are none.
    static func text(_ conditions: Set<Condition>) -> String? {
        conditions.isEmpty ? nil : conditions.map(\.text).sorted().joined(separator: ", and ")
    }
}

/// Something that libbpf asks the kernel, or the one who loads the object, before the kernel gets to see it.
struct Question: Equatable {
    /// What is asked for, as in "the kernel has the field task_struct.field" or "CONFIG_HZ".
    let subject: String
    let kind: Kind

    enum Kind: Equatable {
        /// 1 if the kernel has it, 0 if not.
        case existence
        /// A value of the kernel's configuration.
        case configuration
        /// A constant of the object, which the one who loads it may set.
        case constant
    }
}

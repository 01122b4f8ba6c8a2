/// What a profile counts, as formats of protocol buffers name it.
struct ProfileTypes {
    struct ValueType: Equatable {
        var type: String
        var unit: String
    }

    private let profile: NamedProfile

    init(_ profile: NamedProfile) { self.profile = profile }

    /// What the weights of stacks are, besides numbers of samples.
    var counted: ValueType {
        switch profile.unit {
        case .nanoseconds: ValueType(type: profile.event.isEmpty ? "off-cpu" : "wall", unit: "nanoseconds")
        case .events: ValueType(type: profile.event, unit: "count")
        case .samples: ValueType(type: "cpu", unit: "nanoseconds")
        }
    }

    /// What is between two samples; nil if only waits were sampled.
    var period: (type: ValueType, period: Int64)? {
        if let period = profile.period { return (ValueType(type: profile.event, unit: "count"), Int64(period)) }
        return profile.frequency.map {
            (ValueType(type: "cpu", unit: "nanoseconds"), Self.whole(1e9 / Double($0)))
        }
    }

    /// In ``counted``.
    func value(of weight: NamedProfile.Weight) -> Int64 {
        guard profile.unit == .samples, let frequency = profile.frequency else { return Self.whole(weight.total) }
        return Self.whole(weight.total * 1e9 / Double(frequency))
    }

    /// The nearest number.
    static func whole(_ number: Double) -> Int64 {
        Int64(exactly: number.rounded()) ?? (number > 0 ? .max : number < 0 ? .min : 0)
    }
}

/// Why a function is taken to begin at an address of code that no call frame information covers, the strongest first.
enum StartEvidence: UInt8, Comparable, CaseIterable {
    /// A symbol, the entry point, or what the dynamic linker calls.
    case known
    /// Code that is reached calls it.
    case call
    /// An instruction takes its address; or code calls it that is reached only from such a place.
    case address
    /// A word in data holds its address.
    case pointer
    /// It is aligned, and in front of it a function ends.
    case alignment

    /// Whether a function needs no other proof. Else it must leave balanced, and all of it must be code.
    var isCertain: Bool { self <= .call }

    var name: String {
        switch self {
        case .known: "known"
        case .call: "call"
        case .address: "address"
        case .pointer: "pointer"
        case .alignment: "alignment"
        }
    }

    static func < (left: StartEvidence, right: StartEvidence) -> Bool { left.rawValue < right.rawValue }
}

/// The names of a machine's registers by their DWARF numbers.
struct RegisterNames {
    /// By number; empty for a number without a meaning. Names are short enough for Swift to store them inline.
    private let names: [String]

    /// - Parameter machine: ELF `e_machine`. Registers of machines that aren't known here have no names.
    init(machine: UInt16) {
        switch machine {
        case 3: names = Self.i386
        case 62: names = Self.x86_64
        case 183: names = Self.aarch64
        case 243: names = Self.riscv
        default: names = []
        }
    }

    /// The register's name, if it has one.
    func name(_ register: UInt64) -> String? {
        guard register < UInt64(names.count) else { return nil }
        let name = names[Int(register)]
        return name.isEmpty ? nil : name
    }

    /// `name0`, `name1`, ….
    static func numbered(_ name: String, _ range: Range<Int>) -> [String] { range.map { name + String($0) } }

    static func unnamed(_ count: Int) -> [String] { [String](repeating: "", count: count) }
}

/// What was read of processes, by the number that samples have of what they were unwound by.
///
/// When the programs don't use one any more, samples of it may still be to be read. They have been when two updates
/// have begun since: between two updates all samples are read, before or after whatever else is done there.
struct NumberedReadings<Reading> {
    private var readings: [UInt32: Reading] = [:]
    /// Numbers that programs ceased to use since the last update began, and between the last two.
    private var left: [UInt32] = []
    private var leftBefore: [UInt32] = []

    /// What was read under a number that the programs use, or used until a moment ago.
    subscript(number: UInt32) -> Reading? {
        get { readings[number] }
        set { readings[number] = newValue }
    }

    /// The programs don't use a number any more.
    mutating func leave(_ number: UInt32) { left.append(number) }

    /// An update begins.
    mutating func noteUpdate() {
        for number in leftBefore { readings[number] = nil }
        (leftBefore, left) = (left, [])
    }
}

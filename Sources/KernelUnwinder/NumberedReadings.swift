/// What was read of processes, by the number that samples have of what they were unwound by.
///
/// When the programs don't use one any more, samples of it may still be to be read. They have been when two updates
/// have begun since: between two updates all samples are read, before or after whatever else is done there.
struct NumberedReadings<Reading> {
    private var readings: [UInt32: Reading] = [:]
    /// Numbers of mappings that were retired since the last update began, and between the last two.
    private var retired: [UInt32] = []
    private var retiredBefore: [UInt32] = []

    /// What was read under a number that the programs use, or used until a moment ago.
    subscript(number: UInt32) -> Reading? {
        get { readings[number] }
        set { readings[number] = newValue }
    }

    /// The mappings with this number were retired.
    mutating func retire(_ number: UInt32) { retired.append(number) }

    /// An update begins.
    mutating func noteUpdate() {
        for number in retiredBefore { readings[number] = nil }
        (retiredBefore, retired) = (retired, [])
    }
}

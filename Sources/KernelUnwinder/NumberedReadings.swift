/// The mappings read of processes, by the number that samples unwound with them have.
///
/// After the BPF programs stop using a number, unread samples may still have it. They have been read once two further
/// updates have begun, because all samples are read between two updates.
struct NumberedReadings<Reading> {
    private var readings: [UInt32: Reading] = [:]
    /// Numbers of mappings that were retired since the last update began, and between the last two.
    private var retired: [UInt32] = []
    private var retiredBefore: [UInt32] = []

    /// The mappings with a number that is in use, or was until recently.
    subscript(number: UInt32) -> Reading? {
        get { readings[number] }
        set { readings[number] = newValue }
    }

    /// The mappings with this number were retired.
    mutating func retire(_ number: UInt32) { retired.append(number) }

    /// Notes that an update begins.
    mutating func noteUpdate() {
        for number in retiredBefore { readings[number] = nil }
        (retiredBefore, retired) = (retired, [])
    }
}

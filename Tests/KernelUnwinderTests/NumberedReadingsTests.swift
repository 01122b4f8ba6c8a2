@testable import KernelUnwinder
import Testing

/// How long readings are kept for samples that were unwound with them.
@Suite struct NumberedReadingsTests {
    @Test func numberThatIsInUseIsKept() {
        var readings = NumberedReadings<String>()
        readings[1] = "one"
        for _ in 0..<10 { readings.noteUpdate() }
        #expect(readings[1] == "one" && readings[2] == nil)
    }

    /// Samples are read between two updates, and an update may retire mappings several times.
    @Test func numberThatWasLeftIsKeptUntilSamplesOfItWereRead() {
        var readings = NumberedReadings<String>()
        for number in UInt32(1)...3 { readings[number] = "\(number)" }
        readings.noteUpdate()
        readings.retire(1)
        readings.retire(2)
        #expect(readings[1] == "1" && readings[2] == "2")
        readings.noteUpdate()
        readings.retire(3)
        #expect(readings[1] == "1" && readings[2] == "2")
        readings.noteUpdate()
        #expect(readings[1] == nil && readings[2] == nil && readings[3] == "3")
        readings.noteUpdate()
        #expect(readings[3] == nil)
    }
}

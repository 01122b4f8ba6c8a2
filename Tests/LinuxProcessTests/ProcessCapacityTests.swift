import LinuxProcess
import Testing

@Suite struct ProcessCapacityTests {
    @Test func lowerLimitCounts() {
        #expect(ProcessCapacity.limit("32768", "192730") == 32_768)
        #expect(ProcessCapacity.limit("4194304", "515000") == 515_000)
    }

    @Test func settingsThatCannotBeUsedAreLeftOut() {
        #expect(ProcessCapacity.limit(nil, "7000") == 7000)
        #expect(ProcessCapacity.limit("0", "7000") == 7000)
        #expect(ProcessCapacity.limit("many", nil) == ProcessCapacity.limit(nil, nil))
        // Larger than the kernel's own limit.
        #expect(ProcessCapacity.limit("99999999999", "99999999999") == 4_194_304)
    }

    @Test func thisMachineHasALimit() { #expect((301...4_194_304).contains(ProcessCapacity.limit)) }
}

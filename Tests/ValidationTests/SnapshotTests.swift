import Testing
import UnwindTable
import Validation

@Suite struct SnapshotTests {
    /// Expressions read the pc by its DWARF number, which depends on the machine: on aarch64, 16 is a register.
    @Test func programCounterHasTheMachinesNumber() {
        let x86_64 = Snapshot(seed: 1, pc: 0x1234, machine: .x86_64)
        #expect(x86_64.register(16) == 0x1234)
        #expect(x86_64.register(32) == nil)
        let aarch64 = Snapshot(seed: 1, pc: 0x1234, machine: .aarch64)
        #expect(aarch64.register(32) == 0x1234)
        #expect(aarch64.register(16) == aarch64.registers[16])
    }
}

extension RegisterNames {
    /// RISC-V ELF psABI, "DWARF Register Numbers".
    static let riscv =
        ["zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"] + numbered("a", 0..<8) + numbered("s", 2..<12)
        + numbered("t", 3..<7) + numbered("ft", 0..<8) + ["fs0", "fs1"] + numbered("fa", 0..<8)
        + numbered("fs", 2..<12) + numbered("ft", 8..<12) + unnamed(32) + numbered("v", 0..<32)
}

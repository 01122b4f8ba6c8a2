extension RegisterNames {
    /// DWARF for the Arm 64-bit Architecture, §4.1 "DWARF register names".
    static let aarch64 =
        numbered("x", 0..<31) + ["sp", "", "elr"] + unnamed(12) + ["vg", "ffr"] + numbered("p", 0..<16)
        + numbered("v", 0..<32) + numbered("z", 0..<32)
}

extension RegisterNames {
    /// System V ABI, Intel386 supplement, table 2.14 "DWARF Register Number Mapping".
    static let i386 =
        ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", ""] + numbered("st", 0..<8)
        + unnamed(2) + numbered("xmm", 0..<8) + numbered("mm", 0..<8) + ["fcw", "fsw", "mxcsr"]
        + ["es", "cs", "ss", "ds", "fs", "gs", "", "", "tr", "ldtr"] + unnamed(43) + numbered("k", 0..<8)
}

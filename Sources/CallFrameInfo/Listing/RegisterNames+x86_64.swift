extension RegisterNames {
    /// System V ABI, AMD64 supplement, figure 3.36 "DWARF Register Number Mapping".
    static let x86_64 =
        ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + numbered("r", 8..<16) + ["rip"]
        + numbered("xmm", 0..<16) + numbered("st", 0..<8) + numbered("mm", 0..<8)
        + ["rflags", "es", "cs", "ss", "ds", "fs", "gs", "", "", "fs.base", "gs.base", "", "", "tr", "ldtr"]
        + ["mxcsr", "fcw", "fsw"] + numbered("xmm", 16..<32) + unnamed(35) + numbered("k", 0..<8)
}

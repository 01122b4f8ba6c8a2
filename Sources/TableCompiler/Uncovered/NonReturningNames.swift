import ELF

extension ELFImage {
    /// SVMAs of functions, and of stubs of the procedure linkage table, that never return, by their names.
    ///
    /// - Parameters:
    ///   - functions: SVMAs at which the image's own functions begin.
    ///   - symbols: of this image.
    package func nonReturning(
        _ functions: some Sequence<UInt64>, _ symbols: FunctionSymbols
    ) throws(ELFError) -> Set<UInt64> {
        var found: Set<UInt64> = []
        func test(_ address: UInt64) {
            guard let (name, offset) = symbols.lookup(address), offset == 0 else { return }
            if NonReturningNames.contains(name.hasSuffix("@plt") ? String(name.dropLast(4)) : name) {
                found.insert(address)
            }
        }
        for section in try sections() where section.name.hasPrefix(".plt") && section.isExecutable && !section.hasNoBits
        {
            for address in stride(from: section.address, to: section.address &+ section.size, by: 8) { test(address) }
        }
        for address in functions { test(address) }
        return found
    }
}

/// Functions that never return: POSIX, the C++ ABI and libstdc++, Rust's panics. Behind a call of another one the analysis
/// finds out by itself where paths contradict each other.
enum NonReturningNames {
    private static let names: Set = [
        "abort", "exit", "_exit", "_Exit", "quick_exit", "__stack_chk_fail", "__assert_fail", "__assert",
        "__assert_perror_fail", "__cxa_throw", "__cxa_rethrow", "__cxa_bad_cast", "__cxa_bad_typeid",
        "__cxa_throw_bad_array_new_length", "_Unwind_Resume", "__cxa_call_unexpected", "__cxa_call_terminate",
        "longjmp",
        "siglongjmp", "_longjmp", "__longjmp_chk", "err", "errx", "verr", "verrx", "__fortify_fail", "__chk_fail",
        "pthread_exit", "_ZSt9terminatev", "_ZSt10unexpectedv", "__libc_start_main", "__libc_fatal",
        "rust_begin_unwind",
    ]

    static func contains(_ name: String) -> Bool {
        names.contains(name) || name.hasPrefix("_ZSt") && name.contains("__throw_") || name.contains("core9panicking")
    }
}

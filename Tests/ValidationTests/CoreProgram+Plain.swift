/// Stacks of plain C: calls, frames, longjmp, and lazy binding of calls.
extension CoreProgram {
    static let plain = [
        cRecursion, cRecursionByClang, alloca, allocaByClang, realigned, realignedByClang, lazyPLT, longjmp, vforkChild,
        staticPIE, vdso,
    ]

    /// Stops at functions' entries, then at their exits.
    private static let recursionStops: [Stop] = [
        .at("large"), .further(1, named: "large-entered"), .at("registers"), .further(3, named: "registers-pushed"),
        .at("arguments"), .at("stop_here"), .next([0x5b], named: "pop"), .further(1, named: "popped"),
        .next([0xc3], named: "return"), .further(1, named: "returned"), .further(5, named: "returned-further"),
    ]

    static let cRecursion = Self("c-recursion", source: "c-recursion.c", stops: recursionStops)
    static let cRecursionByClang = Self(
        "c-recursion-by-clang", source: "c-recursion.c", compiler: "clang", stops: recursionStops)

    static let alloca = Self("alloca", source: "alloca.c", stops: [.at("stop_here")])
    static let allocaByClang = Self("alloca-by-clang", source: "alloca.c", compiler: "clang", stops: [.at("stop_here")])

    /// All instructions of a prologue by gcc, which keeps the former stack pointer first in a register, then in the
    /// frame.
    private static let realigningStops =
        [Stop.at("with_alloca")] + (1...12).map { .further(1, named: "realigning-\($0)") } + [.at("stop_here")]

    /// Such a function ends with `lea -8(%r10), %rsp`.
    static let realigned = Self(
        "realigned", source: "realigned.c",
        stops: realigningStops + [
            .next([0x49, 0x8d, 0x62, 0xf8], named: "restoring"), .further(1, named: "restored"),
        ])
    static let realignedByClang = Self(
        "realigned-by-clang", source: "realigned.c", compiler: "clang", stops: realigningStops)

    /// Stub, resolver and the functions that it calls are identified by instructions, because the dynamic linker has no
    /// symbols for them.
    static let lazyPLT = Self(
        "lazy-plt",
        build: [
            ["gcc"] + optimised + ["-shared", "-fPIC", "-o", "liblazy.so", "\(sources)/lazy-plt-library.c"],
            ["gcc"] + optimised + [
                "-Wl,-z,lazy", "-o", "lazy-plt", "\(sources)/lazy-plt.c", "-L.", "-llazy", "-Wl,-rpath,$ORIGIN",
            ],
        ],
        executable: "lazy-plt",
        stops: [
            .at("'bound_lazily@plt'", named: "stub"), .further(1, named: "stub-push"),
            .further(1, named: "stub-pushed"), .further(1, named: "first-stub"),
            .further(1, named: "first-stub-pushed"), .further(1, named: "resolver"),
            .further(1, named: "resolver-pushed-rbx"), .further(1, named: "resolver-moved-to-rbx"),
            .further(1, named: "resolver-aligned"), .further(1, named: "resolver-with-frame"),
            // The resolver's only call.
            .next([0xe8], named: "resolver-calls"), .further(1, named: "fixup"), .further(20, named: "fixup-further"),
            .further(200, named: "symbol-search"),
            // jmp *%r11
            .next([0x41, 0xff, 0xe3], named: "resolver-ends"), .at("stop_here"),
        ])

    /// The instructions from `mov (%rdi), %rbx` to `jmp *%rdx` restore the registers from the buffer.
    static let longjmp = Self(
        "longjmp", source: "longjmp.c",
        stops: [
            .inLibrary("longjmp"), .next([0x48, 0x8b, 0x1f], named: "before-rbx"),
            .further(1, named: "after-rbx"), .further(3, named: "after-r14"), .next([0xff, 0xe2], named: "jump"),
            .further(1, named: "landed"), .at("stop_here"),
        ])

    /// In vfork, the first instruction is `pop %rdi`, and the third is the system call.
    static let vforkChild = Self(
        "vfork-child", source: "vfork-child.c",
        stops: [
            .inLibrary("vfork"), .further(1, named: "popped"), .next([0x0f, 0x05], named: "system-call"),
            Stop(
                name: "child-in-vfork",
                commands: [
                    "set follow-fork-mode child", "set detach-on-fork off", "set $after = $pc + 2", "tbreak *$after",
                    "continue",
                ]),
            .further(1, named: "child-pushed"), .at("stop_here"),
        ])

    static let staticPIE = Self(
        "static-pie", source: "static-pie.c", flags: ["-static-pie"], stops: [.at("stop_here")])

    static let vdso = Self(
        "vdso", source: "vdso.c",
        stops: [
            .inLibrary("__vdso_clock_gettime", named: "clock"), .further(3, named: "clock-pushed"),
            .further(20, named: "clock-further"),
        ])
}

/// Stacks of other languages than C.
extension CoreProgram {
    static let languages = [cppExceptions, cppExceptionsByClang, swiftAsync, python]

    /// The personality routine is first called to search, then to clean up, with bit 1 of its second argument.
    private static let exceptionStops: [Stop] = [
        .inLibrary("__gxx_personality_v0", named: "search"), .further(1000, named: "search-further"),
        Stop(name: "clean-up", commands: ["tbreak *__gxx_personality_v0 if $esi & 2", "continue"]),
        .at("stop_here", named: "destructor"), .at("_Unwind_Resume", named: "resume"),
        .at("stop_here", named: "handler"), .at("__cxa_rethrow", named: "rethrow"),
    ]

    static let cppExceptions = Self(
        "cpp-exceptions", source: "cpp-exceptions.cpp", compiler: "g++", stops: exceptionStops)
    static let cppExceptionsByClang = Self(
        "cpp-exceptions-by-clang", source: "cpp-exceptions.cpp", compiler: "clang++", stops: exceptionStops)

    /// Uses one malloc arena, because each further one reserves 64 MiB, which would be in the core dump. Modules are
    /// cached in the temporary directory, because a user may have no home directory.
    static let swiftAsync = Self(
        "swift-async",
        build: [
            [
                "swiftc", "-O", "-parse-as-library", "-static-stdlib", "-module-name", "program", "-module-cache-path",
                "modules", "-o", "swift-async", "\(sources)/swift-async.swift",
            ]
        ],
        executable: "swift-async", environment: ["MALLOC_ARENA_MAX": "1"],
        stops: [.at("stop_here"), .at("swift_task_switch")])

    static let python = Self(
        "python", executable: "/usr/bin/python3", arguments: ["-I", "-S", "-B", "\(sources)/recursion.py"],
        stops: [Stop(name: "erf", commands: ["tbreak erf", "continue"])])
}

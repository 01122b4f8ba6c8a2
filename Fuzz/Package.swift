// swift-tools-version: 5.4
// From 5.5 on, SwiftPM gives every executable a `main` from its module, which would conflict with libFuzzer's.
import PackageDescription

/// A libFuzzer target. Its `LLVMFuzzerTestOneInput` tests one input.
func fuzzTarget(_ name: String, _ products: [String]) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["Inputs"] + products.map { .product(name: $0, package: "cfic") },
        swiftSettings: [.unsafeFlags(["-parse-as-library", "-swift-version", "6"])])
}

// All modules, including cfic's, must be built with sanitizers and coverage. `make fuzz` passes the flags.
let package = Package(
    name: "cfic-fuzz",
    dependencies: [.package(name: "cfic", path: "..")],
    targets: [
        .target(name: "Inputs"),
        fuzzTarget("fuzz-elf", ["CFICCompiler", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-cfi", ["CFIC", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-table", ["CFIC", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-expression", ["CFICCompiler", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-profile", ["CFICUnwinder"]),
    ]
)

// swift-tools-version: 5.4
// From 5.5 on SwiftPM gives every executable a `main` of its module, and libFuzzer brings the one that is wanted here.
import PackageDescription

/// A target of libFuzzer: what it does with an input is `LLVMFuzzerTestOneInput`.
func fuzzTarget(_ name: String, _ products: [String]) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["Inputs"] + products.map { .product(name: $0, package: "cfic") },
        swiftSettings: [.unsafeFlags(["-parse-as-library", "-swift-version", "6"])])
}

// Sanitizers and coverage have to be in all modules, cfic's too: `make fuzz` builds with the flags for it.
let package = Package(
    name: "cfic-fuzz",
    dependencies: [.package(name: "cfic", path: "..")],
    targets: [
        .target(name: "Inputs"),
        fuzzTarget("fuzz-elf", ["CFICCompiler", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-cfi", ["CFIC", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-table", ["CFIC", "CFICFuzzingInternals"]),
        fuzzTarget("fuzz-expression", ["CFICCompiler", "CFICFuzzingInternals"]),
    ]
)

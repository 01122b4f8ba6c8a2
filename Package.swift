// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "cfic",
    products: [
        .executable(name: "cfic", targets: ["cfic"]),
        .library(name: "UnwindTable", targets: ["UnwindTable"]),
        .library(name: "TableCompiler", targets: ["TableCompiler"]),
        .library(name: "TableStore", targets: ["TableStore"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        // System libraries: module maps, nothing else.
        .systemLibrary(name: "CLibelf", providers: [.apt(["libelf-dev"])]),
        .systemLibrary(name: "CLiblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CNettle", providers: [.apt(["nettle-dev"])]),
        .systemLibrary(name: "CXXHash", providers: [.apt(["libxxhash-dev"])]),

        // The layout that the kernel, other languages and Swift share.
        .target(name: "CUnwindTable", path: "bpf", sources: ["native"], publicHeadersPath: "include"),

        // One direction, one step a module.
        .target(name: "ELF", dependencies: ["CLibelf", "CLiblzma"]),
        .target(name: "CallFrameInfo"),
        .target(name: "UnwindTable", dependencies: ["CallFrameInfo", "CUnwindTable", "CXXHash"]),
        .target(name: "TableCompiler", dependencies: ["ELF", "CallFrameInfo", "UnwindTable", "CNettle"]),
        .target(name: "TableStore", dependencies: ["UnwindTable", "TableCompiler"]),
        .executableTarget(
            name: "cfic",
            dependencies: [
                "ELF", "CallFrameInfo", "UnwindTable", "TableCompiler", "TableStore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),

        .testTarget(name: "ELFTests", dependencies: ["ELF", "CLiblzma"]),
        .testTarget(name: "CallFrameInfoTests", dependencies: ["CallFrameInfo", "ELF", "TableCompiler"]),
    ],
    swiftLanguageModes: [.v6]
)

// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "cfic",
    products: [
        .executable(name: "cfic", targets: ["cfic"]),
        // The Swift API: docs/swift/API.docc says which product is for whom. Each contains the one before it.
        .library(name: "CFIC", targets: ["Files", "UnwindTable", "TableStore"]),
        .library(
            name: "CFICCompiler",
            targets: ["Files", "UnwindTable", "TableStore", "ELF", "TableSupply", "TableCompiler"]),
        .library(
            name: "CFICUnwinder",
            targets: [
                "Files", "UnwindTable", "TableStore", "ELF", "TableSupply", "TableCompiler", "LinuxProcess",
                "KernelUnwinder", "Symbols", "Profile", "ProfileFormats",
            ]),
        // No API: what the package in Fuzz/ tests besides. It may change with any commit.
        .library(
            name: "CFICFuzzingInternals",
            targets: ["CallFrameInfo", "CUnwindTable", "LinearEvaluation", "TableBuilder", "Validation"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        // System libraries: only module maps.
        .systemLibrary(name: "CLibbpf", providers: [.apt(["libbpf-dev"])]),
        .systemLibrary(name: "CLibdw", providers: [.apt(["libdw-dev"])]),
        .systemLibrary(name: "CLibelf", providers: [.apt(["libelf-dev"])]),
        .systemLibrary(name: "CLiblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CNettle", providers: [.apt(["nettle-dev"])]),
        .systemLibrary(name: "CXXHash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),

        // The format and the C code that kernel, other languages and Swift share.
        .target(name: "CUnwindTable", path: "bpf", sources: ["native"], publicHeadersPath: "include"),

        // Compiles the BPF programs in bpf/programs into a Swift source.
        .plugin(name: "BPFObject", capability: .buildTool()),

        // Maps files that may shrink while they are mapped.
        .target(name: "CFileMapping"),
        // Child processes for libraries that hostile input may break.
        .target(name: "CConfinement"),
        // Demangles symbols in a child process.
        .target(name: "CDemangle", dependencies: ["CConfinement"], linkerSettings: [.linkedLibrary("iberty")]),
        // Reads inlined functions and lines from DWARF, in a child process.
        .target(
            name: "CDebugInfo", dependencies: ["CConfinement"],
            linkerSettings: [.linkedLibrary("dw"), .linkedLibrary("elf")]),
        // A terminal's screen, by ncurses.
        .target(
            name: "CNcurses", linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
        // C shims for Linux calls that Swift cannot import: perf_event_open(2), fork(2), syncfs(2), statfs(2).
        .target(name: "CLinux"),

        // Dependencies go in one direction: see docs/architecture.md.
        // Paths that preserve their bytes; directories; files written whole or not at all; identity and state of files.
        .target(name: "Files", dependencies: ["CNettle", "CLinux"]),
        // The table of functions in Go programs, and call frame information made from it.
        .target(name: "GoFunctionTable", dependencies: ["Search"]),
        .target(
            name: "ELF",
            dependencies: ["Files", "Search", "GoFunctionTable", "CFileMapping", "CLinux", "CLibelf", "CLiblzma"]),
        .target(name: "CallFrameInfo"),
        // Binary search.
        .target(name: "Search"),
        // Code to rows, where there is no call frame information.
        .target(name: "Inference", dependencies: ["CallFrameInfo", "Search", "CZydis"]),
        // Runs work on several threads, or on as many as can be created.
        .target(name: "Threads"),
        // The format: reader, lookup, proof.
        .target(name: "UnwindTable", dependencies: ["Search", "CUnwindTable", "CXXHash"]),
        // Rows to rules to pages to bytes.
        .target(
            name: "TableBuilder", dependencies: ["CallFrameInfo", "Search", "UnwindTable", "Threads", "CUnwindTable"]),
        .target(name: "TableStore", dependencies: ["Files", "UnwindTable", "CUnwindTable", "CXXHash"]),
        // Who asks for an image's table, and who answers.
        .target(name: "TableSupply", dependencies: ["ELF", "UnwindTable"]),
        // One image to one table. Trees: files and directories to a store.
        .target(
            name: "TableCompiler",
            dependencies: [
                "ELF", "Files", "CallFrameInfo", "GoFunctionTable", "Inference", "Search", "UnwindTable",
                "TableBuilder", "TableStore", "TableSupply", "Threads", "CUnwindTable",
            ]),
        // Processes' mappings, files, memory and events; the files that a command will map; this process's capabilities.
        .target(name: "LinuxProcess", dependencies: ["ELF", "Files", "CLinux"]),
        .target(
            name: "KernelUnwinder",
            dependencies: [
                "ELF", "Files", "Search", "UnwindTable", "TableSupply", "LinuxProcess", "Threads", "CUnwindTable",
                "CLinux", "CLibbpf",
            ],
            plugins: ["BPFObject"]),
        // Stacks with all registers, from snapshots.
        .target(
            name: "FullUnwinder",
            dependencies: [
                "CallFrameInfo", "ELF", "Files", "TableCompiler", "KernelUnwinder", "UnwindTable", "CUnwindTable",
            ]),
        // Names of functions, and printable text.
        .target(
            name: "Symbols",
            dependencies: ["ELF", "Files", "Search", "CallFrameInfo", "TableCompiler", "CDemangle", "CDebugInfo"]),
        // The JSON documents.
        .target(name: "JSONDocuments", dependencies: ["Symbols"]),
        .target(
            name: "Profile",
            dependencies: [
                "ELF", "Files", "Threads", "KernelUnwinder", "FullUnwinder", "LinuxProcess", "Symbols", "CLinux",
            ]),
        // The page of a flame graph, whose sources are embedded in code: cfic is one file. A target of its own, because they
        // take seconds to compile.
        .target(name: "FlameGraphPage", dependencies: ["Files"], resources: [.embedInCode("Page")]),
        // A format a file.
        .target(
            name: "ProfileFormats",
            dependencies: [
                "CallFrameInfo", "ELF", "Files", "FlameGraphPage", "KernelUnwinder", "Symbols", "JSONDocuments",
                "Profile", "Search", "Threads", "CLiblzma", "CZlib",
            ]),
        // A profile on a terminal, while it is recorded.
        .target(
            name: "LiveView",
            dependencies: [
                "Threads", "KernelUnwinder", "Symbols", "Profile", "ProfileFormats", "CNcurses",
            ]),
        // GNU libmicrohttpd, without TLS.
        .target(name: "CMicrohttpd", linkerSettings: [.linkedLibrary("microhttpd")]),
        // libcurl, loaded when it is needed.
        .target(name: "CCurl"),
        // Decodes x86-64 instructions with Zydis, which is loaded when it is needed.
        .target(name: "CZydis"),
        // Serves and pushes profiles while they are recorded.
        .target(
            name: "ProfileService",
            dependencies: ["ELF", "Files", "Symbols", "Profile", "ProfileFormats", "CMicrohttpd", "CCurl"]),
        .target(
            name: "Validation",
            dependencies: [
                "ELF", "Files", "Search", "CallFrameInfo", "Inference", "UnwindTable", "TableBuilder",
                "TableCompiler", "TableStore", "TableSupply", "Threads", "KernelUnwinder", "Profile", "CUnwindTable",
                "CLibdw",
            ]),
        // Reports what kernels would reject in BPF objects.
        .target(name: "BPFCheck", dependencies: ["ELF", "Files", "Search"]),
        .executableTarget(
            name: "cfic",
            dependencies: [
                "ELF", "Files", "CallFrameInfo", "UnwindTable", "TableBuilder", "TableCompiler", "TableStore",
                "Validation", "BPFCheck", "LinuxProcess", "KernelUnwinder", "Profile", "ProfileFormats", "LiveView",
                "ProfileService", "Symbols",
                "JSONDocuments", "Threads",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),

        // The examples in the README and docs/swift.
        .executableTarget(
            name: "example-compile", dependencies: ["ELF", "TableCompiler", "UnwindTable"], path: "examples/compile"),
        .executableTarget(
            name: "example-reader", dependencies: ["TableStore", "UnwindTable"], path: "examples/reader"),
        .executableTarget(
            name: "example-profiler", dependencies: ["KernelUnwinder", "TableCompiler", "TableStore"],
            path: "examples/profiler"),
        .executableTarget(
            name: "example-recording",
            dependencies: ["KernelUnwinder", "TableCompiler", "TableStore", "Profile", "ProfileFormats"],
            path: "examples/recording"),

        // A stack of known depth.
        .target(name: "CallChain", path: "Benchmarks/CallChain"),
        .executableTarget(
            name: "cfic-bench",
            dependencies: [
                "ELF", "Files", "UnwindTable", "TableBuilder", "TableCompiler", "CUnwindTable", "KernelUnwinder",
                "TableStore", "Symbols", "LinuxProcess", "CallChain", "CLibbpf", "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/cfic-bench"
        ),

        // Writes flame graphs and opens them in a browser. Apart from cfic-bench, which must stay small.
        .executableTarget(
            name: "flame-graph-bench",
            dependencies: [
                "ProfileFormats", "Files", "Chromium", "MadeUpProfile",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/flame-graph-bench"),
        .target(name: "MadeUpProfile", dependencies: ["Profile", "ProfileFormats"], path: "Benchmarks/MadeUpProfile"),
        // Writes and reads profiles, and names addresses.
        .executableTarget(
            name: "profile-bench",
            dependencies: [
                "ELF", "Files", "MadeUpProfile", "ProfileFormats", "Symbols",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/profile-bench"),

        // The plainest evaluation of rows, which tests compare tables with.
        .target(
            name: "LinearEvaluation", dependencies: ["CallFrameInfo", "Search", "TableBuilder", "UnwindTable"],
            path: "Tests/LinearEvaluation"),
        // ELF files that tests make.
        .target(
            name: "TestFixtures",
            dependencies: [
                "ELF", "Files", "Search", "CallFrameInfo", "TableBuilder", "TableCompiler", "UnwindTable",
                "CUnwindTable",
            ],
            path: "Tests/TestFixtures"),

        // A browser that tests drive.
        .target(name: "Chromium", path: "Tests/Chromium"),

        // A test target per module.
        .testTarget(name: "ELFTests", dependencies: ["ELF", "CLiblzma", "TestFixtures"]),
        .testTarget(name: "ThreadsTests", dependencies: ["Threads"]),
        .testTarget(name: "SearchTests", dependencies: ["Search"]),
        .testTarget(name: "FilesTests", dependencies: ["Files", "TestFixtures", "file-writer"]),
        // Writes a file as a process that tests limit and redirect.
        .executableTarget(name: "file-writer", dependencies: ["Files"], path: "Tests/Fixtures/file-writer"),
        .testTarget(
            name: "GoFunctionTableTests",
            dependencies: ["GoFunctionTable", "CallFrameInfo", "ELF", "TableCompiler", "UnwindTable", "TestFixtures"]),
        .testTarget(
            name: "InferenceTests", dependencies: ["Inference", "CallFrameInfo", "ELF", "TestFixtures", "UnwindTable"]),
        .testTarget(name: "CallFrameInfoTests", dependencies: ["CallFrameInfo", "ELF", "TableCompiler"]),
        .testTarget(
            name: "ValidationTests",
            dependencies: [
                "Validation", "ELF", "TableCompiler", "TableStore", "TableSupply", "UnwindTable", "CUnwindTable",
                "KernelUnwinder", "FullUnwinder", "Profile", "TestFixtures",
            ]),
        .testTarget(
            name: "UnwindTableTests", dependencies: ["UnwindTable", "CallFrameInfo", "CUnwindTable", "TestFixtures"]),
        .testTarget(
            name: "TableBuilderTests", dependencies: ["TableBuilder", "CallFrameInfo", "CUnwindTable", "TestFixtures"]),
        .testTarget(
            name: "TableStoreTests",
            dependencies: [
                "TableStore", "TableSupply", "TableCompiler", "ELF", "Files", "UnwindTable", "CUnwindTable", "CXXHash",
                "table-store-writer",
            ]),
        // Inserts tables in a process of its own, which tests limit and kill.
        .executableTarget(
            name: "table-store-writer", dependencies: ["TableStore", "Threads", "UnwindTable"],
            path: "Tests/Fixtures/table-store-writer"),
        .testTarget(
            name: "TableCompilerTests",
            dependencies: [
                "TableCompiler", "TableStore", "TableBuilder", "UnwindTable", "CallFrameInfo", "ELF", "Threads",
                "LinearEvaluation", "TestFixtures",
            ]),
        .testTarget(name: "BPFCheckTests", dependencies: ["BPFCheck", "ELF", "TestFixtures"]),
        // Boots kernels and runs the BPF programs on them. Its C and shell code is in Tests/KernelMatrix.
        .testTarget(name: "KernelMatrixTests", dependencies: ["cfic", "BPFCheck", "TestFixtures"]),
        .testTarget(
            name: "KernelUnwinderTests",
            dependencies: [
                "KernelUnwinder", "LinuxProcess", "ELF", "TableBuilder", "TableCompiler", "TableStore", "TableSupply",
                "UnwindTable",
                "CUnwindTable",
                "CLibbpf", "TestFixtures",
            ]),
        .testTarget(name: "FullUnwinderTests", dependencies: ["FullUnwinder", "CallFrameInfo", "UnwindTable"]),
        .testTarget(
            name: "ProfileTests",
            dependencies: [
                "CLibbpf",
                "Profile", "FullUnwinder", "KernelUnwinder", "LinuxProcess", "Symbols", "Threads", "ELF",
                "TableCompiler", "TableStore", "TableSupply",
                "CUnwindTable",
                "TestFixtures",
            ]),
        .testTarget(
            name: "ProfileFormatsTests",
            dependencies: [
                "ProfileFormats", "Profile", "KernelUnwinder", "LinuxProcess", "ELF", "Files", "Symbols",
                "JSONDocuments", "CUnwindTable", "Chromium", "TestFixtures",
                // Only to read what is written.
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Protobuf/pprof.proto"]),
        .testTarget(name: "LiveViewTests", dependencies: ["LiveView", "KernelUnwinder", "ProfileFormats", "Symbols"]),
        .testTarget(
            name: "ProfileServiceTests",
            dependencies: [
                "ProfileService", "CCurl", "Profile", "ProfileFormats", "KernelUnwinder", "Symbols", "ELF", "Files",
                "TestFixtures",
            ], exclude: ["otlp_server.py"]),
        .testTarget(name: "LinuxProcessTests", dependencies: ["LinuxProcess", "ELF", "Files", "TestFixtures"]),
        .testTarget(name: "JSONDocumentsTests", dependencies: ["JSONDocuments"]),
        .testTarget(name: "SymbolsTests", dependencies: ["Symbols", "ELF", "Files", "TestFixtures", "CDemangle"]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "cfic", "example-compile", "example-profiler", "example-reader", "example-recording", "UnwindTable",
                "CLibbpf", "CCurl", "Chromium", "TestFixtures",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], exclude: ["push_server.py"]),
    ],
    swiftLanguageModes: [.v6]
)

import Foundation
import PackagePlugin

/// Compiles the BPF programs (bpf/programs) with the toolchain's clang and embeds the object as a Swift source of the
/// target, so that `swift build` is all that dependent packages need.
@main
struct BPFObject: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        let sources = context.package.directoryURL.appending(path: "bpf")
        let script = sources.appending(path: "programs/embed.sh")
        let output = context.pluginWorkDirectoryURL.appending(path: "UnwinderObject.swift")
        // Both are part of the Swift toolchain.
        let clang = try context.tool(named: "clang").url
        let objcopy = try context.tool(named: "llvm-objcopy").url
        return [
            .buildCommand(
                displayName: "Building the BPF programs",
                executable: URL(filePath: "/bin/sh"),
                arguments: [
                    script.path(), sources.path(), clang.path(), objcopy.path(), output.path(),
                ],
                inputFiles: try [script] + headersAndSources(below: sources),
                outputFiles: [output])
        ]
    }

    private func headersAndSources(below directory: URL) throws -> [URL] {
        let found = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        return found?.compactMap { $0 as? URL }.filter { ["c", "h"].contains($0.pathExtension) }
            .sorted { $0.path() < $1.path() } ?? []
    }
}

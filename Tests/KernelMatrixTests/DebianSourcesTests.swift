import Foundation
import TestFixtures
import Testing

/// The mirrors from which kernels are downloaded, with a fake apt, which reads the archives in `LABELS`.
@Suite struct DebianSourcesTests {
    private func sources(_ archives: [String]) throws -> [String] {
        let script = """
            set -eu
            directory=$(mktemp -d); trap 'rm -rf "$directory"' EXIT
            export KERNEL_CACHE=$directory
            apt-get() { case $1 in indextargets) printf '%s\\n' "$@" | grep -q LABEL && printf '%s\\n' $ARCHIVES | tr = ' ' ;; esac; }
            . "$0"
            apt_private() { :; }
            update_lists amd64
            cat "$directory/apt-amd64/sources.list"
            """
        let output = try run(
            words: ["bash", "-c", script, Self.script], environment: ["ARCHIVES": archives.joined(separator: " ")])
        return output.split(separator: "\n").map(String.init)
    }

    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../KernelMatrix/debian.sh").path

    @Test func securityUpdatesAreReadWhereTheMachineReadsThem() throws {
        let lines = try sources(["Debian=http://main/", "Debian-Security=http://security/"])
        #expect(lines.contains { $0.hasSuffix(" http://main/ bookworm main") })
        #expect(lines.contains { $0.hasSuffix(" http://security/ bookworm-security main") })
    }

    @Test func machineWithoutThemReadsTheArchiveAlone() throws {
        let lines = try sources(["Debian=http://main/"])
        #expect(lines.contains { $0.hasSuffix(" http://main/ bookworm main") })
        #expect(lines.count >= 5 && lines.allSatisfy { $0.contains(" http://main/ ") }, "\(lines)")
    }
}

import Foundation
import enum TestFixtures.HostKernel
import Testing

private let hasLibrary = {
    guard let library = dlopen("libdebuginfod.so.1", RTLD_LAZY) else { return false }
    dlclose(library)
    return true
}()

/// Debug files from servers that the user named. A directory stands for a server.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .enabled(if: hasLibrary, "libdebuginfod.so.1 is not installed"), .timeLimit(.minutes(30)))
struct DebuginfodTests {
    private let place: Workplace

    init() throws {
        place = try Workplace()
        let source = """
            #include <time.h>
            __attribute__((noinline)) static unsigned long hot_function(unsigned long n)
            { for (int i = 0; i < 100000; i++) n = n * 3 + 1; return n; }
            int main(void)
            {
                unsigned long n = 1;
                struct timespec t;
                do { n = hot_function(n) + 1; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); }
                while (t.tv_sec == 0 && t.tv_nsec < 300000000);
                return n == 0;
            }
            """
        try source.write(toFile: place.directory + "/p.c", atomically: true, encoding: .utf8)
        let built = try place.shell(
            """
            clang -O2 -fuse-ld=lld -Wl,--build-id=0x\(Self.buildID) -o p.debug p.c && cp p.debug p && strip p &&
            mkdir -p server/buildid/\(Self.buildID) && cp p.debug server/buildid/\(Self.buildID)/debuginfo
            """)
        guard built.code == 0 else { throw TestFailure(built.diagnostics) }
    }

    private static let buildID = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

    private func profile(_ servers: String?, _ options: String = "", libraries: String? = nil) throws -> Outcome {
        var environment = ["DEBUGINFOD_CACHE_PATH": place.directory + "/downloads", "DEBUGINFOD_URLS": servers ?? ""]
        if let libraries { environment["LD_LIBRARY_PATH"] = libraries }
        return try place.shell("cfic profile -F 999 \(options) -- ./p", environment: environment)
    }

    private var server: String { "file://\(place.directory)/server" }

    @Test func namesComeFromAServer() throws {
        let outcome = try profile(server)
        #expect(outcome.code == 0 && outcome.output.contains(";hot_function"), "\(outcome)")
        #expect(access(place.directory + "/downloads/\(Self.buildID)/debuginfo", F_OK) == 0)
        // A server that doesn't have it is not a problem.
        let other = try profile("file://\(place.directory)/none")
        #expect(other.code == 0 && !other.diagnostics.contains("debug files were not"), "\(other)")
    }

    @Test(arguments: [nil, "--no-debug-files"]) func nobodyIsAskedUnlessTheUserWantsIt(option: String?) throws {
        let outcome = try profile(option == nil ? nil : server, option ?? "")
        #expect(outcome.code == 0 && outcome.output.contains("[p]") && !outcome.output.contains("hot_function"))
        #expect(access(place.directory + "/downloads", F_OK) != 0, "\(outcome)")
    }

    @Test func serverThatCannotBeReachedIsToldOnce() throws {
        let outcome = try profile("http://127.0.0.1:1")
        #expect(outcome.code == 0 && outcome.output.contains("[p]"))
        #expect(
            outcome.diagnostics.ranges(of: "debug files were not downloaded from http://127.0.0.1:1: ").count == 1,
            "\(outcome.diagnostics)")
    }

    @Test func brokenLibraryIsAProblemOfNamesOnly() throws {
        try place.write(Array("not a library".utf8), to: "libdebuginfod.so.1")
        let outcome = try profile(server, libraries: place.directory)
        #expect(outcome.code == 0 && outcome.output.contains("[p]"))
        #expect(
            outcome.diagnostics.contains("without libdebuginfod (Debian: libdebuginfod1): "), "\(outcome.diagnostics)")
    }

    /// A file that isn't what was asked for.
    @Test func debugFileOfAnotherBuildIsNotUsed() throws {
        try place.write(Array("wrong".utf8), to: "server/buildid/\(Self.buildID)/debuginfo")
        let outcome = try profile(server)
        #expect(outcome.code == 0 && outcome.output.contains("[p]"), "\(outcome)")
    }
}

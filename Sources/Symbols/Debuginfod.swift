import Files
import Glibc
import Synchronization

/// Downloads debug files from the servers that the user named in `DEBUGINFOD_URLS`.
///
/// elfutils' library does it, and keeps what it downloaded in the user's cache. It is loaded when the first file is asked
/// for, because it brings libcurl and what that needs. It reads its other settings from the environment: debuginfod(7).
package final class Debuginfod: Sendable {
    /// Called before a server is asked, with the file whose debug file is sought.
    package typealias Report = @Sendable (_ path: String) -> Void

    private struct State {
        var client: Client?
        var problem: String?
        /// By build id; nil if no server has it.
        var known: [[UInt8]: String?] = [:]
    }

    private let state = Mutex(State())
    private let report: Report

    /// Whether the user named servers.
    package static var isSetUp: Bool { !servers.isEmpty }

    private static var servers: String { getenv("DEBUGINFOD_URLS").map { String(cString: $0) } ?? "" }

    /// Nil if the user named no servers.
    package init?(_ report: @escaping Report) {
        guard Self.isSetUp else { return nil }
        self.report = report
    }

    /// Why servers are not asked any more, if so.
    package var problem: String? { state.withLock { $0.problem } }

    /// The path of the debug file with a build id; nil if no server has it, or can be asked.
    ///
    /// - Parameter path: of the file whose debug file it is, for ``Report``.
    package func file(_ buildID: [UInt8], of path: String) -> String? {
        state.withLock { state in
            if let known = state.known[buildID] { return known }
            guard state.problem == nil else { return nil }
            report(path)
            do throws(Problem) {
                if state.client == nil { state.client = try Client() }
                let found = try state.client?.file(buildID)
                state.known[buildID] = .some(found)
                return found
            } catch {
                state.problem = error.text
                return nil
            }
        }
    }

    private struct Problem: Error { var text: String }

    /// The library, and its handle.
    private struct Client: @unchecked Sendable {
        typealias Begin = @convention(c) () -> OpaquePointer?
        typealias Find =
            @convention(c) (
                OpaquePointer, UnsafePointer<UInt8>, Int32, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
            ) -> Int32

        private let client: OpaquePointer
        private let find: Find

        init() throws(Problem) {
            guard let library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL),
                let begin = dlsym(library, "debuginfod_begin"), let find = dlsym(library, "debuginfod_find_debuginfo")
            else {
                let reason = dlerror().map { String(cString: $0) } ?? ""
                throw Problem(
                    text: "DEBUGINFOD_URLS is set, but debug files can't be downloaded without libdebuginfod "
                        + "(Debian: libdebuginfod1): \(reason)")
            }
            // It stays loaded: it may have started threads.
            guard let client = unsafeBitCast(begin, to: Begin.self)() else {
                throw Problem(text: "debug files can't be downloaded: debuginfod_begin failed")
            }
            (self.client, self.find) = (client, unsafeBitCast(find, to: Find.self))
        }

        func file(_ buildID: [UInt8]) throws(Problem) -> String? {
            var path: UnsafeMutablePointer<CChar>?
            let descriptor = buildID.withUnsafeBufferPointer { bytes in
                bytes.baseAddress.map { find(client, $0, Int32(bytes.count), &path) } ?? -ENOENT
            }
            defer { free(path) }
            if descriptor >= 0 {
                close(descriptor)
                return path.map { String(cString: $0) }
            }
            if descriptor == -ENOENT { return nil }
            // Each question could take as long as this one did.
            throw Problem(
                text: "debug files were not downloaded from \(servers): \(systemMessage(-descriptor)); "
                    + "no more are asked for")
        }
    }
}

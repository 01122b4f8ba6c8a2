// Inserts tables in a process of its own, which tests of TableStore limit and kill.
//
//     table-store-writer insert DIRECTORY ROUNDS TABLE...     inserts all tables, ROUNDS times (0: until killed)
//     table-store-writer batch DIRECTORY THREADS TABLE...     inserts all tables once, with threads that share a batch
//     table-store-writer limited BYTES insert ...             the same under RLIMIT_FSIZE
//     table-store-writer files COUNT batch ...                the same under RLIMIT_NOFILE
//
// Prints the error and exits with 1 if the store throws one; exits with 64 for wrong usage.
import Glibc
import Synchronization
import TableStore
import Threads
import UnwindTable

func fail(_ message: String, code: Int32) -> Never {
    _ = Array((message + "\n").utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(code)
}

func contents(of path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { fail("cannot read \(path)", code: 64) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
}

func key(of table: [UInt8]) -> TableSource.Key {
    guard let header = try? table.withUnsafeBytes({ try TableVerifier.readHeader($0) }) else {
        fail("not a table", code: 64)
    }
    return header.key
}

/// Inserts tables with several threads.
func insert(_ tables: [[UInt8]], into store: TableStore, threads: Int) throws {
    let batch = TableBatch(store)
    let failure = Mutex<(any Error)?>(nil)
    Threads.perform(tables.count, threads: threads) { index in
        do {
            try tables[index].withUnsafeBytes { try batch.insert($0, key: key(of: tables[index])) }
        } catch {
            failure.withLock { $0 = error }
        }
    }
    if let error = batch.flush().first?.value ?? failure.withLock({ $0 }) { throw error }
}

var arguments = Array(CommandLine.arguments.dropFirst())
let limits = ["limited": RLIMIT_FSIZE, "files": RLIMIT_NOFILE]
if arguments.count > 1, let resource = limits[arguments[0]], let count = UInt(arguments[1]) {
    var limit = rlimit(rlim_cur: count, rlim_max: count)
    guard setrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { fail("setrlimit", code: 64) }
    arguments.removeFirst(2)
}
do {
    if arguments.first == "insert", arguments.count > 3, let rounds = Int(arguments[2]) {
        let store = TableStore(directory: arguments[1])
        let tables = arguments[3...].map(contents)
        var round = 0
        while rounds == 0 || round < rounds {
            for table in tables { try table.withUnsafeBytes { try store.insert($0, key: key(of: table)) } }
            round += 1
        }
    } else if arguments.first == "batch", arguments.count > 3, let threads = Int(arguments[2]) {
        try insert(arguments[3...].map(contents), into: TableStore(directory: arguments[1]), threads: threads)
    } else {
        fail("usage: see the source", code: 64)
    }
} catch {
    fail("\(error)", code: 1)
}

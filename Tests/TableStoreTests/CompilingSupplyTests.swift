import CUnwindTable
import ELF
import Foundation
import TableCompiler
import TableStore
import TableSupply
import Testing
import UnwindTable

/// Tables from a store or, if it has none, from the compiler.
@Suite struct CompilingSupplyTests {
    private let directory: TemporaryDirectory
    private let store: TableStore
    private static let image = "/bin/true"

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path)
    }

    private func supply(_ store: TableStore?) -> CompilingSupply { CompilingSupply(store: store, debugFiles: nil) }

    private func request(_ supply: CompilingSupply, _ path: String = image) throws -> any TableRequest {
        supply.request(try ELFImage(path: path))
    }

    private func bytes(_ request: any TableRequest) throws -> [UInt8] { try request.withTable { Array($0.bytes) } }

    @Test func compiledTableIsStoredWhenTheProcessIsFinished() throws {
        let supply = supply(store)
        let request = try request(supply)
        let key = try request.key.get()
        let made = try bytes(request)
        #expect(made == (try compiledTable(of: Self.image, key: key)))
        #expect(directory.files().filter { $0.hasSuffix(".unwind") }.isEmpty)
        #expect(supply.finish() == [])
        #expect(try store.current(key: key, options: TableOptions()).holds(made))
    }

    /// The store's table differs from what the compiler would make, which shows where it came from.
    @Test func currentTableOfTheStoreIsTaken() throws {
        let key = try request(supply(store)).key.get()
        let other = try compiledTable(of: "/bin/false", key: key)
        #expect(other != (try compiledTable(of: Self.image, key: key)))
        try other.withUnsafeBytes { try store.insert($0, key: key) }
        #expect(try bytes(request(supply(store))) == other)
    }

    @Test func damagedTableOfTheStoreIsMadeAgain() throws {
        let key = try request(supply(store)).key.get()
        let good = try compiledTable(of: Self.image, key: key)
        try good.withUnsafeBytes { try store.insert($0, key: key) }
        var damaged = good
        damaged[damaged.count - 1] ^= 1
        try damaged.write(to: store.path(of: key))
        let supply = supply(store)
        #expect(try bytes(request(supply)) == good)
        #expect(supply.finish() == [])
        #expect(try store.current(key: key, options: TableOptions()).holds(good))
    }

    @Test func withoutAStoreNothingIsKept() throws {
        let supply = supply(nil)
        #expect(try !bytes(request(supply)).isEmpty)
        #expect(supply.finish() == [] && directory.files().isEmpty)
    }

    /// Tables are supplied nevertheless.
    @Test func storeThatTakesNothingIsOneProblem() throws {
        let file = directory.path + "/file"
        try [UInt8]().write(to: file)
        let supply = supply(TableStore(directory: file))
        #expect(try !bytes(request(supply)).isEmpty)
        #expect(try !bytes(request(supply, "/bin/false")).isEmpty)
        let problems = supply.finish()
        #expect(problems.count == 1 && problems[0].hasPrefix("tables could not be stored: "), "\(problems)")
        #expect(try !bytes(request(supply, "/bin/cat")).isEmpty)
        #expect(supply.finish() == [])
    }

    @Test func ineligibleImageHasAReason() throws {
        let path = directory.path + "/core"
        var header = Array(try Data(contentsOf: URL(fileURLWithPath: Self.image)).prefix(64))
        header[16] = 4  // ET_CORE, without program and section headers.
        for index in Array(32..<48) + Array(56..<64) { header[index] = 0 }
        try header.write(to: path)
        let request = try request(supply(store), path)
        let error = #expect(throws: CompileError.self) { try request.key.get() }
        #expect("\(try #require(error))" == "core dump")
    }
}

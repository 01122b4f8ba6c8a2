import ELF
import Glibc
import TableSupply
import TestFixtures
import Testing
import UnwindTable
@testable import KernelUnwinder

/// The unwinder loads what its supply has, and nothing else.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(1)))
struct SuppliedTablesTests {
    /// One table for every image; or the reason why there is none.
    private final class OneTable: TableSupply, @unchecked Sendable {
        struct Refusal: Error, CustomStringConvertible {
            var description: String
        }

        let threads = 2
        let table: MadeTable
        /// The reason that images get no key, and the reason that they get no table.
        var keyRefusal: Refusal?
        var tableRefusal: Refusal?
        var problems: [String] = []

        init(_ table: MadeTable) { self.table = table }

        func request(_ image: ELFImage) -> any TableRequest { Request(image, self) }

        func finish() -> [String] {
            defer { problems = [] }
            return problems
        }

        private final class Request: TableRequest, @unchecked Sendable {
            let image: ELFImage
            let supply: OneTable

            init(_ image: ELFImage, _ supply: OneTable) { (self.image, self.supply) = (image, supply) }

            var key: Result<TableSource.Key, any Error> {
                supply.keyRefusal.map { .failure($0) } ?? .success(supply.table.view.key)
            }

            func contentKey() throws -> TableSource.Key { try key.get() }

            func withTable<Value>(_ body: (TableView) throws -> Value) throws -> Value {
                if let refusal = supply.tableRefusal { throw refusal }
                return try body(supply.table.view)
            }
        }
    }

    private let supply: OneTable
    private let unwinder: KernelUnwinder

    init() throws {
        let machine = try KernelUnwinder.hostMachine
        supply = OneTable(try MadeTable([.init(0x1000, length: 0x100)], machine: machine))
        unwinder = try KernelUnwinder(tables: supply)
    }

    @Test func allImagesHaveTheSuppliedTable() throws {
        let images = try unwinder.addProcess(getpid()).images
        #expect(images.count > 1 && images.allSatisfy(\.hasTable))
        #expect(unwinder.images.tableCount == 1)
        #expect(unwinder.images.fileBytes == supply.table.view.bytes.count)
    }

    @Test func reasonsOfTheSupplyAreTheImagesProblems() throws {
        supply.keyRefusal = .init(description: "no key for you")
        #expect(try unwinder.addProcess(getpid()).images.allSatisfy { !$0.hasTable && $0.problem == "no key for you" })
        supply.keyRefusal = nil
        supply.tableRefusal = .init(description: "no table for you")
        let other = try KernelUnwinder(tables: supply)
        #expect(try other.addProcess(getpid()).images.allSatisfy { !$0.hasTable && $0.problem == "no table for you" })
        #expect(other.images.tableCount == 0)
    }

    @Test func problemsOfTheSupplyArePassedOn() throws {
        var told: [String] = []
        unwinder.onProblem = { told.append($0) }
        supply.problems = ["the store is full"]
        try unwinder.addProcess(getpid())
        #expect(told == ["the store is full"])
    }

    @Test func tableOfAnotherMachineIsNotLoaded() throws {
        let others = TableMachine.allCases.filter { $0 != supply.table.view.machine }
        let other = OneTable(try MadeTable([.init(0x1000, length: 0x100)], machine: try #require(others.first)))
        let unwinder = try KernelUnwinder(tables: other)
        #expect(try unwinder.addProcess(getpid()).images.allSatisfy { !$0.hasTable && $0.problem != nil })
        #expect(unwinder.images.tableCount == 0)
    }
}

import ELF
import Glibc
import LinuxProcess
import Synchronization
import TableSupply
import TestFixtures
import Testing
import UnwindTable
@testable import KernelUnwinder

/// The unwinder loads what its supply has, and nothing else.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
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
        let tables = Gate()
        private let lock = Mutex(())

        init(_ table: MadeTable) { self.table = table }

        var requested: [ELFImage] = []

        func request(_ image: ELFImage) -> any TableRequest {
            lock.withLock { _ in requested.append(image) }
            return Request(image, self)
        }

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

            var isFound: Bool { supply.tables.isStored }

            func contentKey() throws -> TableSource.Key { try key.get() }

            func withTable<Value>(_ body: (TableView) throws -> Value) throws -> Value {
                if !supply.tables.isStored { supply.tables.wait() }
                if let refusal = supply.tableRefusal { throw refusal }
                return try body(supply.table.view)
            }
        }
    }

    /// Holds up the making of tables until it is opened.
    private final class Gate: Sendable {
        private let state = Mutex((isStored: true, isOpen: false, waiting: 0))

        /// Whether no table has to be made.
        var isStored: Bool { state.withLock(\.isStored) }
        /// The number of tables whose making has begun.
        var begun: Int { state.withLock(\.waiting) }

        func close() { state.withLock { $0 = (false, false, 0) } }
        func open() { state.withLock { $0.isOpen = true } }
        func wait() {
            state.withLock { $0.waiting += 1 }
            // A test that fails must not leave a thread that runs forever.
            for _ in 0..<20_000 where !state.withLock(\.isOpen) { usleep(1000) }
        }
    }

    private let supply: OneTable
    private let unwinder: KernelUnwinder

    /// A process that has mapped its libraries.
    private func process() throws -> RunningProgram {
        let program = try RunningProgram(["/usr/bin/cat"])
        for _ in 0..<10_000 {
            if try MemoryMap(of: program.id).mappings.contains(where: { $0.path.contains("/libc.so") }) {
                return program
            }
            usleep(1000)
        }
        throw TestFailure("no libc")
    }

    /// Updates the unwinder until something has happened.
    private func update(until hasHappened: () -> Bool) throws {
        let start = ContinuousClock.now
        while !hasHappened() {
            guard ContinuousClock.now - start < .seconds(30) else { throw TestFailure("it did not happen") }
            unwinder.wait(milliseconds: 50)
            _ = unwinder.update([])
        }
    }

    init() throws {
        let machine = try KernelUnwinder.hostMachine
        supply = OneTable(try MadeTable([.init(0x1000, length: 0x100)], machine: machine))
        unwinder = try KernelUnwinder(tables: supply)
    }

    @Test func allImagesHaveTheSuppliedTable() throws {
        let images = try unwinder.addProcess(getpid()).images
        #expect(images.count > 1 && images.allSatisfy(\.hasTable))
        #expect(unwinder.images.tables.count == 1)
        #expect(unwinder.images.tables.fileBytes == supply.table.view.bytes.count)
    }

    @Test func reasonsOfTheSupplyAreTheImagesProblems() throws {
        supply.keyRefusal = .init(description: "no key for you")
        #expect(try unwinder.addProcess(getpid()).images.allSatisfy { !$0.hasTable && $0.problem == "no key for you" })
        supply.keyRefusal = nil
        supply.tableRefusal = .init(description: "no table for you")
        let other = try KernelUnwinder(tables: supply)
        #expect(try other.addProcess(getpid()).images.allSatisfy { !$0.hasTable && $0.problem == "no table for you" })
        #expect(other.images.tables.count == 0)
    }

    @Test func problemsOfTheSupplyArePassedOn() throws {
        var told: [String] = []
        unwinder.onProblem = { told.append($0) }
        supply.problems = ["the store is full"]
        try unwinder.addProcess(getpid())
        #expect(told == ["the store is full"])
    }

    /// A process is served by what there is, and gets the rest as it comes.
    @Test func tablesAreMadeWhileTheProcessIsAlreadySampled() throws {
        supply.tables.close()
        supply.problems = ["the store is full"]
        var told: [String] = []
        unwinder.onProblem = { told.append($0) }
        let process = try process()
        let before = try unwinder.addProcess(process.id, waitsForTables: false)
        #expect(
            before.images.count > 1 && before.images.allSatisfy { $0.isPending && !$0.hasTable && $0.problem == nil })
        // Another thread reads the images of the requests.
        #expect(before.images.allSatisfy { mapped in !supply.requested.contains { $0 === mapped.image } })
        #expect(before.placedMappings.contains { $0.isPending })
        // Until then, walks that end there are counted.
        #expect(before.placedMappings.allSatisfy { ($0.range != 0) == $0.isPending })
        #expect(unwinder.update([]).isEmpty && unwinder.images(of: process.id)?.number == before.number)

        supply.tables.open()
        try update { !told.isEmpty && !before.images.contains { $0.isPending } }
        let after = try #require(unwinder.images(of: process.id))
        #expect(after.images.allSatisfy { $0.hasTable && !$0.isPending })
        #expect(after.placedMappings.contains { $0.range != 0 } && !after.placedMappings.contains { $0.isPending })
        #expect(unwinder.images.tables.count == 1 && told == ["the store is full"])
        #expect(unwinder.place(of: process.id) != 0)
        // Otherwise no later wait would be one.
        try update {
            var made = pollfd(fd: unwinder.images.descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&made, 1, 0) == 0
        }
    }

    @Test func reasonWhyATableCannotBeMadeComesLater() throws {
        supply.tables.close()
        supply.tableRefusal = .init(description: "no table for you")
        let process = try process()
        let images = try unwinder.addProcess(process.id, waitsForTables: false).images
        #expect(images.allSatisfy { $0.isPending && $0.problem == nil })
        supply.tables.open()
        try update { !images.contains { $0.isPending } }
        #expect(images.allSatisfy { !$0.hasTable && $0.problem == "no table for you" })
        // From now on, callers are guessed.
        let placed = try #require(unwinder.images(of: process.id)).placedMappings
        #expect(placed.allSatisfy { !$0.isPending && $0.range == 0 })
    }

    /// Whoever waits for a process's tables gets them, even if they are already in the queue of another one's.
    @Test func tableThatIsWaitedForIsMadeAtOnce() throws {
        supply.tables.close()
        let process = try process()
        let pending = try unwinder.addProcess(process.id, waitsForTables: false).images
        #expect(pending.allSatisfy { $0.isPending })
        try update { supply.tables.begun > 0 }
        supply.tables.open()
        let images = try unwinder.addProcess(process.id).images
        #expect(images.allSatisfy { $0.hasTable && !$0.isPending })
        let placed = try #require(unwinder.images(of: process.id)).placedMappings
        #expect(!placed.contains { $0.isPending })
    }

    @Test func pendingImagesThatNobodyMapsAnyMoreAreForgotten() throws {
        supply.tables.close()
        do {
            let process = try process()
            try unwinder.addProcess(process.id, waitsForTables: false)
            unwinder.removeProcess(process.id)
        }
        unwinder.retireUnused()
        supply.tables.open()
        // The vDSO and the files of another process are requested anew.
        let process = try process()
        let images = try unwinder.addProcess(process.id).images
        #expect(images.allSatisfy { $0.hasTable })
    }

    @Test func tableOfAnotherMachineIsNotLoaded() throws {
        let others = TableMachine.allCases.filter { $0 != supply.table.view.machine }
        let other = OneTable(try MadeTable([.init(0x1000, length: 0x100)], machine: try #require(others.first)))
        let unwinder = try KernelUnwinder(tables: other)
        #expect(try unwinder.addProcess(getpid()).images.allSatisfy { !$0.hasTable && $0.problem != nil })
        #expect(unwinder.images.tables.count == 0)
    }

    // MARK: Files that are expected

    private static let expectedFiles = ["/usr/bin/cat", "/usr/bin/env"]
    /// The number of requests for each of these files.
    private var requests: [Int] {
        Self.expectedFiles.map { file in supply.requested.count { $0.name.hasSuffix(file) } }
    }

    private func expect(_ process: Int32, until deadline: ContinuousClock.Instant) throws {
        try unwinder.expectProcess(process)
        unwinder.expect(try Self.expectedFiles.map(ELFImage.init(path:)), in: process, until: deadline)
    }

    private func cat(in images: ProcessImages) throws -> MappedImage {
        try #require(images.images.first { $0.name == "/usr/bin/cat" })
    }

    /// As if they were in the store.
    @Test func expectedFilesHaveTablesBeforeTheyAreMapped() throws {
        supply.tables.close()
        supply.tables.open()
        let process = try process()
        try expect(process.id, until: .now + .seconds(3600))
        #expect(requests == [1, 1] && unwinder.images.tables.count == 1 && unwinder.images.pendingCount == 0)
        let image = try cat(in: unwinder.addProcess(process.id, waitsForTables: false))
        #expect(image.hasTable && !image.isPending && requests == [1, 1])
    }

    /// Nobody waits for them beyond that; they come later.
    @Test func tablesOfExpectedFilesAreWaitedForUntilTheDeadline() throws {
        supply.tables.close()
        let process = try process()
        try expect(process.id, until: .now)
        #expect(requests == [0, 0])
        // On a busy machine, time may be up before they are requested.
        for seconds in [1, 10, 100] where requests != [1, 1] { try expect(process.id, until: .now + .seconds(seconds)) }
        let image = try cat(in: unwinder.addProcess(process.id, waitsForTables: false))
        #expect(image.isPending && requests == [1, 1])
        // Those that nobody waits for are made one at a time.
        try update { supply.tables.begun > 1 }
        supply.tables.open()
        try update { !image.isPending }
        #expect(image.hasTable && requests == [1, 1])
    }

    @Test func expectedFilesAreKeptUntilTheProcessEnds() throws {
        let nobody: Int32 = 2_147_483_646
        try expect(nobody, until: .now + .seconds(3600))
        unwinder.retireUnused()
        try expect(getpid(), until: .now + .seconds(3600))
        #expect(requests == [1, 1] && unwinder.images.tables.count == 1)
        for process in [nobody, getpid()] {
            #expect(unwinder.images.tables.count == 1)
            unwinder.removeProcess(process)
            unwinder.retireUnused()
        }
        #expect(unwinder.images.tables.count == 0)
    }

    @Test func expectedFileWithoutTableHasTheReason() throws {
        supply.keyRefusal = .init(description: "no key for you")
        let process = try process()
        try expect(process.id, until: .now + .seconds(3600))
        #expect(unwinder.images.tables.count == 0)
        let image = try cat(in: unwinder.addProcess(process.id, waitsForTables: false))
        #expect(!image.hasTable && image.problem == "no key for you" && requests == [1, 1])
    }
}

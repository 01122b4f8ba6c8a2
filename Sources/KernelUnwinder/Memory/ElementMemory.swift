import CLibbpf
import CUnwindTable
import Glibc
import Synchronization
import Threads

/// The kernel's table memory, mapped into this process: elements, which are array maps referenced by an array of maps
/// (cfic/elements.h).
///
/// Elements are created when memory is needed. BPF programs see an element only once it is in the array of maps.
/// Inserting it there takes milliseconds, because the kernel waits for readers, so another thread does it while this
/// one fills the element. `waitUntilVisible` must be called before anything in new memory is published.
final class ElementMemory {
    private(set) var allocator: SpanAllocator
    private let outer: Int32
    /// Descriptors of the elements, by index in the array of maps.
    private var maps: [Int32] = []
    /// The number of elements known to be in the array of maps.
    private var visibleCount = 0
    private let base: UnsafeMutableRawPointer
    /// The largest total size of the elements, in bytes.
    let budget: Int
    /// The number of times that the kernel refused an element.
    private(set) var refusals = 0
    /// Called with the error when the kernel refuses an element, while others are there.
    var onRefusal: (Int32) -> Void = { _ in }
    private let insertions: ThreadGroup
    /// The first error of an insertion.
    private let failure = InsertionFailure()
    /// Retired spans: BPF programs that are running may still be reading them.
    private var retired: [Span] = []
    private var retiredWords = 0

    /// Creates an element's map. Returns its descriptor, or -errno.
    var makeMap: () -> Int32 = {
        var options = bpf_map_create_opts()
        options.sz = MemoryLayout<bpf_map_create_opts>.size
        options.map_flags = UInt32(BPF_F_MMAPABLE)
        return bpf_map_create(BPF_MAP_TYPE_ARRAY, "cfic_element", 4, UInt32(CFIC_ELEMENT_SIZE), 1, &options)
    }

    /// Concurrent insertions. Each mostly waits for readers.
    private static let insertionLimit = 16
    private static let yieldLimit = 2000
    private static let elementBytes = Int(CFIC_ELEMENT_SIZE)

    /// All that places can address.
    private static let largest = SpanAllocator.elementLimit * elementBytes

    /// The number of elements that a budget in bytes allows, at least one.
    static func elementLimit(budget: Int) -> Int { min(max(budget / elementBytes, 1), SpanAllocator.elementLimit) }

    /// - Parameters:
    ///   - outer: the array of maps.
    ///   - budget: the largest total size of the elements, in bytes; rounded down to whole elements.
    ///   - insertions: the threads that insert elements.
    init(
        outer: Int32, budget: Int, insertions: ThreadGroup = ThreadGroup(limit: insertionLimit)
    ) throws(KernelError) {
        self.outer = outer
        self.budget = Self.elementLimit(budget: budget) * Self.elementBytes
        self.insertions = insertions
        allocator = SpanAllocator(limit: self.budget / Self.elementBytes)
        // Elements are mapped at consecutive addresses, so that data in several elements is contiguous here.
        let start = mmap(
            nil, self.budget, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let start, start != MAP_FAILED else { throw .system("reserving address space for tables", errno: errno) }
        base = start
        // Reserved, because place 0 means none.
        _ = try allocate(words: 8)
    }

    deinit {
        insertions.wait()
        for map in maps { close(map) }
        munmap(base, budget)
    }

    /// The total size that the elements may have now: the budget or, if the kernel refuses more, what it gave.
    var limit: Int { allocator.limit * Self.elementBytes }

    /// Asks the kernel for more memory again, if it refused some.
    func liftLimit() { allocator.limit = budget / Self.elementBytes }

    /// Bytes of kernel memory in elements.
    var mappedBytes: Int { maps.count * Self.elementBytes }
    /// Bytes of elements in use.
    var usedBytes: Int { allocator.usedWords * 4 }

    /// The address of a place.
    func pointer(_ place: UInt32) -> UnsafeMutableRawPointer { base + Int(place) * 4 }

    /// The head of a range at a place.
    func head(_ place: UInt32) -> UnsafeMutablePointer<cfic_loaded_range> {
        pointer(place).assumingMemoryBound(to: cfic_loaded_range.self)
    }

    func allocate(words: Int, alignment: Int = 1) throws(KernelError) -> Span {
        try grown { $0.allocate(words, alignment: alignment) }
    }

    func allocateElements(words: Int) throws(KernelError) -> Span {
        try grown { $0.allocateElements(words: words) }
    }

    func allocateRest(minimum: Int) throws(KernelError) -> Span {
        try grown { $0.allocateRest(minimum: minimum) }
    }

    /// Frees and clears what was never published, or can no longer be read.
    func free(_ span: Span) {
        memset(pointer(span.place), 0, span.count * 4)
        allocator.free(span)
    }

    /// Frees what nothing was written to.
    func freeUnused(_ span: Span) { allocator.free(span) }

    /// Retires what was published, and what nothing leads to any more. It is reclaimed later.
    func retire(_ spans: [Span]) {
        retired += spans
        retiredWords += spans.reduce(0) { $0 + $1.count }
    }

    /// Waits until the BPF programs can see all allocated memory. The thread that inserts an element must also wait for
    /// readers of the previous entry, but the entry is visible before that wait ends, so this polls for it.
    func waitUntilVisible() throws(KernelError) {
        var turns = 0
        while visibleCount < maps.count {
            if let code = failure.first.withLock({ $0 }) { throw .system("adding a table map", errno: code) }
            var (index, id) = (UInt32(visibleCount), UInt32(0))
            if bpf_map_lookup_elem(outer, &index, &id) == 0 {
                visibleCount += 1
                continue
            }
            // The inserting thread may have to wait until other insertions have waited for their readers.
            guard turns <= Self.yieldLimit else { throw .system("waiting for a table map", errno: errno) }
            if turns < Self.yieldLimit { sched_yield() } else { insertions.wait() }
            turns += 1
        }
    }

    /// Allocates a span, and creates the elements that it needs.
    private func grown(_ allocate: (inout SpanAllocator) -> Span?) throws(KernelError) -> Span {
        // Waiting for readers takes milliseconds, which is worth a quarter of an element.
        if retiredWords * 16 > Self.elementBytes { reclaim() }
        guard let span = allocate(&allocator) ?? allocateReclaimed(allocate) else {
            throw limit < Self.largest ? .overBudget(bytes: limit) : .tableMemoryFull(bytes: limit)
        }
        while maps.count < allocator.elementCount {
            let code = addElement()
            guard code == 0 else {
                allocator.free(span)
                allocator.limit(toFirst: maps.count)
                refusals += 1
                // With nothing there is nothing to go on with.
                guard maps.count > 0 else { throw .system("creating a table map", errno: code) }
                onRefusal(code)
                throw .overBudget(bytes: limit)
            }
        }
        return span
    }

    private func allocateReclaimed(_ allocate: (inout SpanAllocator) -> Span?) -> Span? {
        reclaim()
        return allocate(&allocator)
    }

    /// Whether most of the budget is used.
    var isNearlyFull: Bool { usedBytes > tableLimit }
    /// Bytes that tables may fill. Mappings may use the rest, too, so that few of them have to wait for an eviction.
    var tableLimit: Int { limit / 8 * 7 }
    /// Bytes of retired spans.
    var retiredBytes: Int { retiredWords * 4 }

    /// Frees what was retired, after waiting until no BPF program can be reading it.
    func reclaim() {
        guard !retired.isEmpty, waitForPrograms() else { return }
        for span in retired { free(span) }
        retired.removeAll()
        retiredWords = 0
    }

    /// Waits until all running BPF programs have ended; false if that fails. Writing an entry of the array of maps
    /// again returns only then.
    func waitForPrograms() -> Bool {
        guard let map = maps.first else { return false }
        insertions.wait()
        var (index, descriptor) = (UInt32(0), map)
        return bpf_map_update_elem(outer, &index, &descriptor, 0) == 0
    }

    /// Creates an element, and starts to insert it. Returns 0, or the error of a refusal.
    private func addElement() -> Int32 {
        let map = makeMap()
        guard map >= 0 else { return -map }
        let place = base + maps.count * Self.elementBytes
        let mapped = mmap(place, Self.elementBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map, 0)
        guard mapped != MAP_FAILED else {
            let code = errno
            close(map)
            // The address space stays reserved.
            mmap(place, Self.elementBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0)
            return code
        }
        let index = UInt32(maps.count)
        maps.append(map)
        let (outer, failure) = (outer, failure)
        insertions.start {
            var index = index
            var descriptor = map
            let status = bpf_map_update_elem(outer, &index, &descriptor, 0)
            if status != 0 { failure.first.withLock { $0 = $0 ?? -status } }
        }
        return 0
    }
}

private final class InsertionFailure: Sendable {
    let first = Mutex<Int32?>(nil)
}

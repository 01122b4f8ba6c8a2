import CLibbpf
import CUnwindTable
import Foundation
@testable import KernelUnwinder
import Synchronization
import TestFixtures
import Testing
import Threads

/// Elements are inserted into the kernel's array of maps.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
struct ElementMemoryTests {
    /// An array of maps whose maps have this size.
    private static func outerMap(elementBytes: UInt32) throws -> Int32 {
        var options = bpf_map_create_opts()
        options.sz = MemoryLayout<bpf_map_create_opts>.size
        options.map_flags = UInt32(BPF_F_MMAPABLE)
        let inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cfic_element", 4, elementBytes, 1, &options)
        try #require(inner >= 0)
        defer { Glibc.close(inner) }
        options.map_flags = 0
        options.inner_map_fd = UInt32(inner)
        let outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "cfic_elements", 4, 4, 8, &options)
        try #require(outer >= 0)
        return outer
    }

    /// At the process limit no thread can be created, so the caller inserts elements itself.
    @Test func withoutThreadsElementsGetTheirPlaces() throws {
        let outer = try Self.outerMap(elementBytes: UInt32(CFIC_ELEMENT_SIZE))
        defer { Glibc.close(outer) }
        let refused = Atomic<Int>(0)
        let threads = ThreadGroup(limit: 4) { _, _, _, _ in
            refused.add(1, ordering: .relaxed)
            return EAGAIN
        }
        let memory = try ElementMemory(outer: outer, budget: 8 * Int(CFIC_ELEMENT_SIZE), insertions: threads)
        _ = try memory.allocateElements(words: 3 * Int(CFIC_ELEMENT_SIZE) / 4)
        try memory.waitUntilVisible()
        let count = memory.mappedBytes / Int(CFIC_ELEMENT_SIZE)
        #expect(count >= 3 && refused.load(ordering: .relaxed) == count)
        for place in 0..<UInt32(count) {
            var (index, id) = (place, UInt32(0))
            #expect(bpf_map_lookup_elem(outer, &index, &id) == 0, "element \(place)")
        }
        #expect(memory.waitForPrograms())
    }

    /// If an element can't be inserted, waiting for it fails instead of taking for ever.
    @Test func elementThatTheKernelRefusesIsAnError() throws {
        let outer = try Self.outerMap(elementBytes: 4096)
        defer { Glibc.close(outer) }
        let memory = try ElementMemory(outer: outer, budget: 8 * Int(CFIC_ELEMENT_SIZE))
        _ = try memory.allocateElements(words: 2 * Int(CFIC_ELEMENT_SIZE) / 4)
        #expect {
            try memory.waitUntilVisible()
        } throws: { error in
            guard case KernelError.system("adding a table map", errno: _) = error else { return false }
            return true
        }
    }
}

@testable import KernelUnwinder
@testable import Profile
@testable import ProfileFormats
import Symbols
import Testing

/// Where a recording's processes had mapped what.
@Suite struct AddressSpaceTests {
    /// The common address space has `/bin/a` at 0x1000 and `/lib/b.so` at 0x2000, 0x1000 bytes each; in their files, both pieces
    /// begin at 0x400000 and at offset 0x3000.
    private struct Recorded {
        var made = MadeRecording(mapping: [])

        init(names: [String] = ["/bin/a", "/lib/b.so"]) {
            let mappings = names.enumerated().map { index, name in
                let start = UInt64(index + 1) << 12
                return ProcessImages.Mapping(
                    start: start, end: start + 0x1000, bias: start &- 0x40_0000, offset: 0x3000,
                    image: MappedImage(name: name, image: nil), name: name)
            }
            for process in [7, 8] as [Int32] { made.processes.note(ProcessImages(mappings), of: process) }
        }

        /// Adds a stack with the frame 0x10 of each mapping that is named by its start here and in the process.
        mutating func add(_ mappings: [(here: UInt64, start: UInt64)], process: Int32 = 7, thread: String = "t") {
            var stack = MadeRecording.stack(
                mappings.map { Sample.Frame($0.here + 0x10) }, thread: thread,
                addresses: mappings.map { $0.start + 0x10 })
            stack.space.process = process
            made.add(stack)
        }

        var profile: NamedProfile {
            let recording = made.recording()
            return NamedProfile(recording, names: Symbolizer(recording.processes, kernel: KernelSymbols(text: [])))
        }
    }

    /// The mappings of each stack: `module start`.
    private func mappings(_ profile: NamedProfile) -> [[String]] {
        profile.stacks.map { stack, _ in
            profile.spaces[Int(stack.space)].map { mapping in
                let module = profile.modules[Int(profile.pieces[Int(mapping.piece)].module)]
                return "\(profile.names[module.path]) \(String(mapping.start, radix: 16))"
            }
        }
    }

    private let program: UInt64 = 0x1000, library: UInt64 = 0x2000

    /// A hostile file's segment may wrap around.
    @Test func addressesBeyondTheLastOneAreNoPiece() throws {
        var made = MadeRecording(mapping: [])
        let mapping = ProcessImages.Mapping(
            start: 0x1000, end: 0x3000, bias: 0x2000, image: MappedImage(name: "/bin/a", image: nil), name: "/bin/a")
        made.processes.note(ProcessImages([mapping]), of: 7)
        var stack = MadeRecording.stack([Sample.Frame(0x1010)], thread: "t", addresses: [0x1010])
        stack.space.process = 7
        made.add(stack)
        let recording = made.recording()
        let profile = NamedProfile(recording, names: Symbolizer(recording.processes, kernel: KernelSymbols(text: [])))
        #expect(profile.stacks.count == 1 && profile.pieces.isEmpty && profile.spaces == [[]])
        #expect(PprofMappings(of: profile).all.map(\.start) == [0])
    }

    @Test func stacksOfAProcessShareItsMappings() {
        var recorded = Recorded()
        recorded.add([(program, 0x5500_0000_0000)])
        recorded.add([], thread: "kernel")
        recorded.add([(library, 0x7f00_0000_0000), (program, 0x5500_0000_0000), (library, 0x7f00_0000_0000)])
        let profile = recorded.profile
        let both = ["/bin/a 550000000000", "/lib/b.so 7f0000000000"]
        #expect(mappings(profile) == [both, both, both])
        #expect(profile.spaces.count == 2 && profile.pieces.count == 2)
        #expect(profile.pieces.allSatisfy { ($0.start, $0.size, $0.offset) == (0x40_0000, 0x1000, 0x3000) })
        // They lead back to where the frames were.
        let addresses = ProcessAddresses(profile), stack = profile.stacks[2].stack
        #expect(
            profile.frames(from: stack.node).map { addresses.address(of: $0, in: stack.space) }
                == [0x7f00_0000_0010, 0x5500_0000_0010, 0x7f00_0000_0010])
    }

    @Test func processesWithTheSameMappingsShareThem() {
        var recorded = Recorded()
        for process in [7, 8] as [Int32] { recorded.add([(program, 0x5500_0000_0000)], process: process) }
        let profile = recorded.profile
        #expect(profile.stacks.map(\.stack.space) == [1, 1] && profile.spaces.count == 2)
        recorded.add([(library, 0x7f00_0000_0000)], process: 8)
        #expect(
            mappings(recorded.profile) == [
                ["/bin/a 550000000000"], ["/bin/a 550000000000", "/lib/b.so 7f0000000000"],
                ["/bin/a 550000000000", "/lib/b.so 7f0000000000"],
            ])
    }

    /// As when a process executes a program: it gets the same libraries elsewhere. Its stacks from before may come again.
    @Test func fileInAnotherPlaceIsInAnotherAddressSpace() {
        var recorded = Recorded()
        recorded.add([(library, 0x7f00_0000_0000), (program, 0x5500_0000_0000)])
        recorded.add([(library, 0x7f00_1000_0000)])
        recorded.add([(program, 0x5600_0000_0000), (library, 0x7f00_1000_0000)])
        recorded.add([(library, 0x7f00_0000_0000)], thread: "late")
        let before = ["/bin/a 550000000000", "/lib/b.so 7f0000000000"]
        let after = ["/bin/a 560000000000", "/lib/b.so 7f0010000000"]
        #expect(mappings(recorded.profile) == [before, after, after, before])
    }

    @Test(arguments: [0x5500_0000_0000, 0x54ff_ffff_f000, 0x5500_0000_1000] as [UInt64])
    func fileInPlaceOfAnotherIsInAnotherAddressSpace(start: UInt64) {
        var recorded = Recorded()
        recorded.made.processes.note(
            ProcessImages(
                (1...2).map { number in
                    ProcessImages.Mapping(
                        start: number << 16, end: number << 16 + 0x2000, bias: number << 16, offset: 0,
                        image: MappedImage(name: "/\(number)", image: nil), name: "/\(number)")
                }), of: 7)
        recorded.add([(0x1_0000, 0x5500_0000_0000)])
        recorded.add([(0x2_0000, start)])
        #expect(mappings(recorded.profile) == [["/1 550000000000"], ["/2 \(String(start, radix: 16))"]])
    }

    @Test func filesMayFollowEachOther() {
        var recorded = Recorded()
        recorded.add([(program, 0x5500_0000_1000)])
        recorded.add([(library, 0x5500_0000_0000)])
        recorded.add([(library, 0x5500_0000_2000)], process: 8)
        recorded.add([(program, 0x5500_0000_1000)], process: 8)
        let before = ["/lib/b.so 550000000000", "/bin/a 550000001000"]
        let behind = ["/bin/a 550000001000", "/lib/b.so 550000002000"]
        #expect(mappings(recorded.profile) == [before, before, behind, behind])
    }

    @Test func whatIsInNoFileHasNoMappings() {
        var made = MadeRecording(mapping: [""])
        made.add(MadeRecording.stack([Sample.Frame(0x1010)], addresses: [0x7010]))
        let recording = made.recording()
        let profile = NamedProfile(recording, names: Symbolizer(recording.processes))
        #expect(profile.stacks.map(\.stack.space) == [0] && profile.spaces == [[]] && profile.pieces.isEmpty)
    }

    /// A process whose stacks go through ever more files.
    @Test func mappingsOfAProcessAreLimited() {
        let limit = RecordedSpaces.mappingLimit
        var recorded = Recorded(names: (0..<limit + 10).map { "/\($0)" })
        for number in 1...UInt64(limit + 10) { recorded.add([(number << 12, number << 20)], thread: "\(number)") }
        let profile = recorded.profile
        #expect(profile.stacks.count == limit + 10 && Set(profile.stacks.map(\.stack.space)) == [1])
        #expect(profile.spaces.map(\.count) == [0, limit])
    }

    @Test func mergedProfilesKeepTheirMappings() {
        var one = Recorded(), other = Recorded()
        one.add([(program, 0x5500_0000_0000)])
        other.add([(library, 0x7f00_0000_0000)], process: 8)
        other.add([(library, 0x7f00_0000_0000), (program, 0x5500_0000_0000)], process: 8)
        var merged = one.profile
        merged.add(other.profile)
        let both = ["/bin/a 550000000000", "/lib/b.so 7f0000000000"]
        #expect(mappings(merged) == [["/bin/a 550000000000"], both, both])
    }

    @Test func namesThatAreFoundAgainLeaveMappingsAsTheyAre() {
        var recorded = Recorded()
        recorded.add([(library, 0x7f00_0000_0000), (program, 0x5500_0000_0000)])
        var naming = ProfileNaming(debugFiles: nil, demangles: false)
        #expect(mappings(naming.named(recorded.profile)) == mappings(recorded.profile))
    }
}

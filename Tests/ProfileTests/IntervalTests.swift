import ELF
import Foundation
@testable import KernelUnwinder
@testable import Profile
import Symbols
import TableCompiler
import TestFixtures
import Testing

/// Recordings that are taken in intervals.
@Suite struct IntervalTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    // MARK: Code

    private func library() throws -> ProcessImages.Mapping {
        let path = try fixture.library(
            ".text\n.p2align 12\n.globl f\n.type f, @function\nf:\n.fill 16, 1, 0x90\n.size f, 16\n", named: "f.so")
        return try #require(
            FakeImages.image(ELFImage(path: path), bias: 0x7f00_0000_0000, name: "/opt/lib.so").mappings.first)
    }

    /// The thread that samples goes on to use its own ones.
    @Test func copiedCodeHasImagesOfItsOwn() throws {
        var code = CodeSpace()
        let mapping = try library()
        var shorter = mapping
        shorter.end -= 0x1000
        let places = [mapping, shorter].map { code.address(of: $0.start, in: $0) }
        let function = code.address(ofFunction: "closed", isExact: true)
        let copy = code.forAnotherThread()
        let images = places.compactMap { copy.images.mapping(at: $0)?.image }
        #expect(images.count == 2 && images[0] === images[1] && images[0] !== mapping.image)
        #expect(images[0].image?.identity == mapping.image?.image?.identity && images[0].name == "/opt/lib.so")
        #expect(copy.function(at: function) == "closed")
    }

    @Test func addressesMoveToOtherCode() throws {
        var old = CodeSpace(), new = CodeSpace()
        let mapping = try library()
        let memory = ProcessImages.Mapping(start: 0x1000, end: 0x3000, bias: 0, image: nil, name: "[stack]")
        let place = GeneratedCode.Place(owner: 5, address: 0x4000, memory: "[anonymous]")
        // Their order, and so the addresses, differ.
        _ = new.address(of: 0x2000, in: memory)
        _ = new.address(ofFunction: "other", isExact: true)
        let generated = old.address(of: place, isExact: true)
        let addresses: [UInt64] = [
            old.address(of: mapping.start + 5, in: mapping), old.address(of: 0x2010, in: memory),
            old.address(ofFunction: "closed", isExact: true), try #require(generated), 1,
        ]
        let moved = addresses.map {
            new.address(of: Sample.Frame(word: $0 | 1 << 63), in: old, owners: [5: 2])
        }
        let found = try #require(new.images.mapping(at: moved[0]))
        #expect(found.image === mapping.image && moved[0] &- found.bias == mapping.start + 5 &- mapping.bias)
        #expect(new.images.mapping(at: moved[1])?.name == "[stack]")
        #expect(new.function(at: moved[2]) == "closed")
        #expect(new.generatedPlace(at: moved[3]) == .init(owner: 2, address: 0x4000, memory: "[anonymous]"))
        #expect(moved[4] == 1 && new.images.mapping(at: 1) == nil)
        // What named it is gone.
        #expect(new.address(of: Sample.Frame(word: addresses[3] | 1 << 63), in: old, owners: [:]) == 1)
    }

    // MARK: Waits

    @Test func waitsAreDividedWithoutRest() {
        var stacks = Stacks()
        let stack = stacks.number(
            of: Stacks.Stack(
                space: AddressSpace(process: 1), command: "a", kernelFrames: [], userFrames: [],
                end: StackEnd(code: 1)))
        var threads = WaitingThreads()
        threads.begin(7, .init(time: 100, share: 1, cpu: 0, stack: stack))
        threads.begin(8, .init(time: 100, share: 1, cpu: 0, stack: stack))
        func divide(at time: UInt64) -> [UInt64] {
            var lengths: [UInt64] = []
            threads.divide(at: time, isWaiting: { thread, _ in thread == 7 }) { _, wait, length in
                lengths.append(length - min(length, wait.counted))
            }
            return lengths
        }
        // The clock may have been read before the last samples were.
        #expect([50, 130, 150, 140].map(divide) == [[0], [30], [20], [0]])
        let end = threads.end(Wait(thread: 7, began: 100, length: 90))
        #expect(end?.counted == 50)
    }

    // MARK: Recordings

    /// Takes an interval in each round.
    private final class Receiver: IntervalReceiver, @unchecked Sendable {
        var intervals: [RecordedInterval] = []
        var last = 0
        var onInterval: ([RecordedInterval]) -> Void = { _ in }

        func isIntervalOver(at now: ContinuousClock.Instant) -> Bool { true }

        func take(_ interval: RecordedInterval, at now: ContinuousClock.Instant, isLast: Bool) {
            intervals.append(interval)
            last += isLast ? 1 : 0
            onInterval(intervals)
        }
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
    func intervalsHaveAllSamplesAndTheirCode() throws {
        var options = Profiler.Options()
        (options.event, options.frequency) = (.clock, 999)
        let profiler = Profiler(try KernelUnwinder(tables: CompilingSupply(store: nil)), options)
        let receiver = Receiver()
        profiler.intervals = receiver
        let recording = try profiler.record(
            command: ["/bin/bash", "-c", "for ((i = 0; i < 300000; i++)); do :; done"])
        #expect(recording.stacks.count == 0 && receiver.last == 1)
        let counters = try recording.counters.get()
        let samples = receiver.intervals.map(\.recording.stacks.totals.samples)
        #expect(samples.count { $0 > 0 } > 3)
        #expect(UInt64(samples.reduce(0, +)) == counters.samples - counters.lost)
        #expect(receiver.intervals.reduce(0) { $0 + $1.lostSamples } == counters.lost)
        let seconds = receiver.intervals.reduce(0) { $0 + $1.recording.seconds }
        #expect(abs(seconds - recording.seconds) < 0.1 + 0.1 * recording.seconds)
        var named = 0
        for interval in receiver.intervals {
            let names = Symbolizer(interval.recording.processes)
            for stack in interval.recording.stacks.counts.keys
            where stack.command == "bash" && stack.outcome == .complete {
                let functions = stack.userFrames.map { names.name(of: $0, in: stack.space) }
                #expect(!functions.contains("[unknown]"), "\(functions)")
                named += functions.contains { $0.hasPrefix("__libc_start") } ? 1 : 0
            }
        }
        #expect(named > 3)
        let began = receiver.intervals.map(\.began)
        #expect(zip(began, began.dropFirst()).allSatisfy { $0 < $1 })
    }

    /// A thread that waits for longer than the recording goes on.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
    func waitsThatGoOnAreInEachInterval() throws {
        func waited(_ interval: RecordedInterval) -> Double {
            interval.recording.stacks.counts.keys.filter { $0.command == "sleep" && $0.isWaiting }
                .reduce(0) { $0 + (interval.recording.stacks.waited[$1] ?? 0) } / 1e9
        }
        var unwinderOptions = KernelUnwinder.Options()
        unwinderOptions.waits = WaitSampling()
        var options = Profiler.Options()
        (options.frequency, options.samplesWaits) = (0, true)
        let interruption = try Interruption()
        let profiler = Profiler(
            try KernelUnwinder(tables: CompilingSupply(store: nil), unwinderOptions), options,
            interruption: interruption)
        let receiver = Receiver()
        receiver.onInterval = { intervals in if intervals.count(where: { waited($0) > 0 }) == 6 { interruption.stop() }
        }
        profiler.intervals = receiver
        _ = try profiler.record(command: ["/bin/sleep", "1000000"])
        // The wait is divided after the clock was read that ends the interval, and before the next one ends.
        let all = receiver.intervals.drop { waited($0) == 0 }.dropFirst()
        func seconds(_ intervals: some Sequence<RecordedInterval>) -> Double {
            intervals.reduce(0) { $0 + $1.recording.seconds }
        }
        let sum = all.dropLast().reduce(0) { $0 + waited($1) }
        #expect(all.count >= 5 && all.dropLast().allSatisfy { waited($0) > 0 })
        #expect((seconds(all.dropFirst().dropLast())...seconds(all)).contains(sum))
        // The stack moves along.
        let names = all.dropLast().map { interval in
            let symbolizer = Symbolizer(interval.recording.processes)
            return Set(
                interval.recording.stacks.counts.keys.filter { $0.command == "sleep" }
                    .map { stack in stack.userFrames.map { symbolizer.name(of: $0, in: stack.space) } })
        }
        #expect(Set(names).count == 1 && names.first?.first?.contains { $0.contains("nanosleep") } == true, "\(names)")
    }
}

import KernelUnwinder

/// What processes mapped, for as long as samples of it are there.
public struct Programs {
    private struct Entry {
        var since: UInt64
        var images: ProcessImages
    }

    private var entries: [Int32: [Entry]] = [:]

    public init() {}

    /// - Parameter time: CLOCK_MONOTONIC, in nanoseconds; what began at 0 was there before.
    public mutating func note(_ images: ProcessImages, of process: Int32, began: Bool, at time: UInt64) {
        var list = entries[process] ?? []
        if began || list.isEmpty {
            list.append(Entry(since: list.isEmpty ? 0 : time, images: images))
        } else {
            list[list.count - 1].images = images
        }
        entries[process] = list
    }

    public mutating func note(_ change: KernelUnwinder.Change) {
        switch change.kind {
        case .mapped(let images): note(images, of: change.process, began: false, at: change.time)
        case .began(let images): note(images, of: change.process, began: true, at: change.time)
        case .ended, .failed: break
        }
    }

    /// The program that ran in a process at a time.
    public func program(of process: Int32, at time: UInt64) -> ProgramID {
        let number = entries[process]?.lastIndex { $0.since <= time } ?? 0
        return ProgramID(process: process, number: number)
    }

    /// What a program mapped, as of when it was last read.
    public func images(of program: ProgramID) -> ProcessImages? {
        guard let list = entries[program.process], list.indices.contains(program.number) else { return nil }
        return list[program.number].images
    }
}

import ELF
import Glibc

/// Files whose tables are made before a process maps them.
extension KernelUnwinder {
    /// Has the tables of files made that a process will map, before it does, and waits for them.
    ///
    /// - Parameters:
    ///   - process: was expected (``expectProcess(_:)``). The files are kept until it ends, even if it never maps them.
    ///   - files: opened by their real paths; not used any more by the caller.
    ///   - deadline: when to return at the latest, but for one file's call frame information that is being read. Tables that are
    ///     still missing then come later, as those of other files.
    package func expect(_ files: [ELFImage], in process: Int32, until deadline: ContinuousClock.Instant) {
        let images = images.expect(files, until: deadline)
        expected[process, default: []] += images
        while images.contains(where: \.isPending) {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return }
            // At most this long, for when there is no descriptor.
            var made = pollfd(fd: self.images.descriptor, events: Int16(POLLIN), revents: 0)
            poll(&made, 1, Int32(min(left, .milliseconds(10)) / .milliseconds(1)) + 1)
            publishMadeTables()
        }
    }
}

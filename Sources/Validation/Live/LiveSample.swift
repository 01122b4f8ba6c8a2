import KernelUnwinder

/// A sample of the kernel, kept until its snapshot has been unwound.
struct LiveSample {
    let time: UInt64
    let thread: Int32
    let process: Int32
    let command: String
    /// The innermost first.
    let frames: [Sample.Frame]
    let end: StackEnd
    /// The mappings that it was unwound with.
    let images: ProcessImages?

    init(_ sample: Sample, _ images: ProcessImages?) {
        (time, thread, process) = (sample.time, sample.thread, sample.process)
        (command, end) = (sample.command, sample.end)
        frames = Array(sample.userFrames)
        self.images = images
    }
}

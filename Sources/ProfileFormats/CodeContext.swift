/// What is known of a frame's address and line from the frames before it, so that only differences are in a .cfic file. Frames and
/// functions are known by their numbers in the file.
struct CodeContext {
    /// By frame.
    private var frames: [(function: UInt32, address: UInt64)] = []
    /// By function: the first frame's address, the last one's line.
    private var functions: [(address: UInt64, line: UInt32)] = []
    /// By module plus 1, or 0 if it isn't known: the first address of its last function.
    private var modules: [UInt64]

    init(moduleCount: Int) { modules = [UInt64](repeating: 0, count: moduleCount + 1) }

    /// A frame's function, plus 1; 0 for no frame.
    ///
    /// - Parameter frame: the frame's number, plus 1; 0 for none.
    func function(of frame: Int) -> Int { frame == 0 ? 0 : Int(frames[frame - 1].function) + 1 }

    /// What the next frame's address is the difference from.
    ///
    /// - Parameters:
    ///   - caller: the frame that calls it, plus 1; 0 for none.
    ///   - module: the function's, plus 1; 0 if it isn't known.
    func address(isInlined: Bool, caller: Int, function: UInt32, module: Int) -> UInt64 {
        if isInlined { return caller == 0 ? 0 : frames[caller - 1].address }
        return function < functions.count ? functions[Int(function)].address : modules[module]
    }

    /// What the next line of a function is the difference from.
    func line(of function: UInt32) -> UInt32 { function < functions.count ? functions[Int(function)].line : 0 }

    /// Adds the next frame, of a known function or of the next one.
    mutating func add(function: UInt32, module: Int, address: UInt64, line: UInt32) {
        frames.append((function, address))
        if function < functions.count {
            functions[Int(function)].line = line
        } else {
            functions.append((address, line))
            modules[module] = address
        }
    }
}

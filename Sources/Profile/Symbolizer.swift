import ELF
import KernelUnwinder

/// Names for addresses: functions of ELF images, of which each is read once, and of the kernel.
public final class Symbolizer {
    private let programs: Programs
    private let kernel: KernelSymbols
    private var functions: [ObjectIdentifier: FunctionSymbols?] = [:]
    /// Images whose symbols can't be read, each once.
    public private(set) var problems: [String] = []

    public init(_ programs: Programs, kernel: KernelSymbols = KernelSymbols()) {
        self.programs = programs
        self.kernel = kernel
    }

    /// `function`; `[file]` where that has no such symbol; `[unknown]`.
    public func name(of frame: Sample.Frame, in program: ProgramID) -> String {
        guard let mapping = programs.images(of: program)?.mapping(at: frame.lookupAddress) else { return "[unknown]" }
        guard let image = mapping.image else {
            return mapping.name.isEmpty ? "[anonymous]" : "[\(Self.file(mapping.name))]"
        }
        if let found = symbols(of: image)?.lookup(frame.lookupAddress &- mapping.bias) { return found.name }
        return "[\(Self.file(image.name))]"
    }

    /// `function_[k]`, as flame graphs mark kernel code; `[kernel]` if its symbols can't be read.
    public func kernelName(of address: UInt64) -> String { kernel.function(at: address).map { $0 + "_[k]" } ?? "[kernel]" }

    /// The same without the mark.
    public func kernelFunction(at address: UInt64) -> String { kernel.function(at: address) ?? "[kernel]" }

    /// The last part of a path, without the brackets of the kernel's own names.
    private static func file(_ path: String) -> Substring {
        let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
        return name.hasPrefix("[") && name.hasSuffix("]") ? name.dropFirst().dropLast() : name
    }

    private func symbols(of image: MappedImage) -> FunctionSymbols? {
        let id = ObjectIdentifier(image)
        if let known = functions[id] { return known }
        var found: FunctionSymbols?
        do throws(ELFError) { found = try image.image?.functionSymbols() } catch { problems.append("\(error)") }
        functions[id] = found
        return found
    }
}

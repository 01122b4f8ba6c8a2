import CallFrameInfo
import ELF
import Inputs
import TableBuilder
import TableCompiler
import UnwindTable

/// Tests bytes as an ELF file by calling everything that `cfic` calls. Nothing may crash, hang or use memory out of
/// proportion, and every table made from it must verify.
@_cdecl("LLVMFuzzerTestOneInput")
public func testELF(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    if let image = try? ELFImage(bytes: bytes, name: "input") {
        ask(image)
        list(image)
        compile(image)
    }
    return 0
}

/// Calls each function of the image, even if others failed.
private func ask(_ image: ELFImage) {
    for section in (try? image.sections()) ?? [] { _ = try? image.bytes(of: section) }
    for kind in [CallFrameSectionKind.ehFrame, .debugFrame] { _ = try? image.callFrameSections(kind) }
    _ = try? image.buildID()
    _ = try? image.executableRanges()
    _ = try? image.isSeparateDebugFile()
    _ = try? image.debugLink()
    if let symbols = try? image.functionSymbols() {
        for segment in image.segments {
            for address in [segment.virtualAddress, segment.virtualAddress &+ segment.memorySize / 2] {
                _ = symbols.lookup(address)
            }
        }
        _ = (symbols.lookup(0), symbols.lookup(image.entryAddress), symbols.lookup(.max))
    }
    if let embedded = try? image.miniDebugInfo() {
        _ = try? embedded.functionSymbols()
        list(embedded)
    }
}

/// Makes the listings of `cfic dump`.
private func list(_ image: ELFImage) {
    guard let sources = try? FrameSources(of: image, search: DebugFileSearch(directories: [])) else { return }
    defer { withExtendedLifetime(sources) {} }
    let listing = FrameListing(sections: sources.sections)
    var text = ByteCount()
    listing.writeEntries(to: &text)
    listing.writeRows(to: &text)
    var limit: UInt64?
    listing.forEachEntry(.instructions) { _ in }
    listing.forEachEntry(.rows) { if limit == nil { limit = $0.fde?.limit } }
    let pc = limit.map { $0 &- 1 } ?? image.entryAddress
    listing.writeEntries(to: &text, pc: pc)
    listing.writeRows(to: &text, pc: pc)
    if let machine = TableMachine(rawValue: image.machine.rawValue) {
        let lowered = LoweredFrames(sources.sections, machine: machine)
        lowered.operations.withUnsafeBufferPointer { operations in
            let words = RuleText(machine: machine, operations: operations)
            for rule in lowered.rules { text.write(words.text(of: rule)) }
        }
    }
}

nonisolated(unsafe) private let compiler = ImageCompiler(debugFiles: DebugFileSearch(directories: []))

private func compile(_ image: ELFImage) {
    guard let result = try? compiler.compile(image) else { return }
    _ = result.notes
    do {
        _ = try TableVerifier.verify(result.table)
    } catch {
        fatalError("the table does not verify: \(error)")
    }
}

/// Discards listings.
private struct ByteCount: TextOutputStream {
    private(set) var count = 0

    mutating func write(_ string: String) { count += string.utf8.count }
}
